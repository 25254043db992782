import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoordClient, CoordError, connect } from '../src/index.js';
import { farFrom } from './far.js';

const ROUNDS = 12;

let etcd: EtcdServer;
let witness: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  witness = await connect(etcd.connectOptions);
});
afterAll(async () => {
  await witness?.close();
  await etcd?.stop();
});

describe('a line that is reset again and again', () => {
  it('fails no read, leaves sessions alive, and no watch misses or repeats anything', async () => {
    await using far = await farFrom(etcd);
    const { client, proxy } = far;
    const session = await client.session({ ttlMs: 10_000 });
    await client.kv.put('/reset/held', 'x', { session });
    await using watch = client.watch({ prefix: '/reset/seen/' });
    await watch.ready;
    const events = watch[Symbol.asyncIterator]();
    for (let round = 1; round <= ROUNDS; round++) {
      // Half of the reads are under way at the reset, the others come after it.
      const reads = [client.kv.get('/reset/held'), client.kv.get('/reset/held', { coalesce: false })];
      proxy.resetConnections();
      reads.push(client.kv.get('/reset/held'), client.kv.get('/reset/held', { coalesce: false }));
      const { revision } = await witness.kv.put('/reset/seen/a', String(round));
      for (const read of await Promise.all(reads)) expect(read?.leaseId).toBe(session.leaseId);
      expect((await events.next()).value).toMatchObject({ revision });
      await session.keepAlive();
    }
    expect(proxy.accepted).toBeGreaterThan(ROUNDS);
    expect(session.state).toBe('alive');
    expect((await witness.kv.get('/reset/held'))?.leaseId).toBe(session.leaseId);
  });

  it('applies a write at most once, says what became of it, and the next one is written', async () => {
    await using far = await farFrom(etcd);
    const { client, proxy } = far;
    const told = new Map<string, string>();
    for (let round = 1; round <= ROUNDS; round++) {
      const key = `/reset/put/${round}`;
      const put = client.kv.put(key, 'x').then(
        () => 'applied',
        (error: unknown) => {
          if (!CoordError.is(error)) throw error;
          return error.outcome;
        },
      );
      if (round % 2 === 0) await new Promise(setImmediate); // it is on its way
      proxy.resetConnections();
      told.set(key, await put);
      const { revision } = await client.kv.put('/reset/next', 'x');
      expect(revision).toBeGreaterThan(0n);
    }
    for (const [key, outcome] of told) {
      const version = (await witness.kv.get(key))?.version ?? 0;
      if (outcome === 'unknown') expect(version).toBeLessThanOrEqual(1);
      else expect([key, outcome, version]).toEqual([key, outcome, outcome === 'applied' ? 1 : 0]);
    }
    expect((await witness.kv.get('/reset/next'))?.version).toBe(ROUNDS);
  });
});
