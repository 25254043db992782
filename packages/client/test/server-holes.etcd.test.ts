import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type Logger } from '../src/index.js';
import { holesOf } from '../src/known-holes.js';
import { createCoordLogger } from '../src/logger.js';
import { resolveClientOptions } from '../src/options.js';
import { hasFix } from '../src/server-version.js';
import { Transport } from '../src/transport.js';

let etcd: EtcdServer;
let other: EtcdServer;
const closing: { close(): Promise<void> | void }[] = [];

beforeAll(async () => {
  [etcd, other] = await Promise.all([startEtcd({ auth: true }), startEtcd()]);
});
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});
afterAll(async () => {
  await Promise.all([etcd?.stop(), other?.stop()]);
});

function recorder(): { logger: Logger; warnings: { message: unknown; fields: unknown }[] } {
  const warnings: { message: unknown; fields: unknown }[] = [];
  const ignore = () => undefined;
  const warn = (message: unknown, fields: unknown) => void warnings.push({ message, fields });
  return { logger: { error: ignore, warn, info: ignore, debug: ignore }, warnings };
}

describe('known faults of the server', () => {
  it('are told once for each cluster and logger, with the versions that mend them', async () => {
    const { logger, warnings } = recorder();
    for (const server of [etcd, etcd, other, etcd]) {
      const client = createClient({ ...server.connectOptions, logger });
      closing.push(client);
      await client.kv.get('a');
      await client.ping();
    }
    const expected = [holesOf(etcd.version, true), holesOf(other.version, false)].filter(
      (holes) => holes.length > 0,
    );
    await eventually(() => warnings.length === expected.length);
    for (const [index, holes] of expected.entries()) {
      expect(warnings[index]?.message).toContain('known faults');
      expect(warnings[index]?.fields).toMatchObject({
        faults: holes.map(({ what }) => expect.stringContaining(what)),
      });
    }
  });
});

describe('the capabilities of a server', () => {
  function transportTo(endpoint: string, login: boolean): Transport {
    const options = resolveClientOptions({
      endpoints: [endpoint],
      ...(login && etcd.auth ? { username: etcd.auth.username, password: etcd.auth.password } : {}),
    });
    const transport = new Transport(options, createCoordLogger(undefined, 'silent'));
    closing.push(transport);
    return transport;
  }

  it('are known after the first answer, and asked for again on every new connection', async () => {
    const proxy = await startProxy({ target: etcd.endpoint });
    closing.push(proxy);
    const { pool, ...transport } = bind(transportTo(proxy.endpoint, true));
    const known = {
      version: etcd.version,
      nestedTxnSafe: hasFix(etcd.version, ['3.4.42', '3.5.28', '3.6.9']),
    };
    expect(pool.capabilities(pool.current)).toMatchObject({ version: undefined, nestedTxnSafe: false });
    await transport.read();
    await eventually(() => expect(pool.capabilities(pool.current)).toMatchObject(known));
    proxy.cut();
    proxy.blackhole('toClient'); // so that nobody can ask it, the health probe included
    const reading = eventually(() => transport.read(), { timeoutMs: 20_000 });
    // As soon as there is a new connection: who knows what has been started there.
    await eventually(() => expect(pool.capabilities(pool.current).version).toBeUndefined());
    proxy.heal();
    await reading;
    await eventually(() => expect(pool.capabilities(pool.current)).toMatchObject(known));
  });

  it('are asked for on the next connection where the last one broke before the answer', async () => {
    const proxy = await startProxy({ target: etcd.endpoint });
    closing.push(proxy);
    const { pool, ...transport } = bind(transportTo(proxy.endpoint, true));
    await transport.read();
    proxy.cut();
    await eventually(() => transport.read());
    await eventually(() => expect(pool.capabilities(pool.current).version).toBe(etcd.version));
  });

  it('without an identity a nested Txn goes round nothing', () => {
    const { pool } = transportTo(other.endpoint, false);
    expect(pool.capabilities(pool.current)).toMatchObject({ version: undefined, nestedTxnSafe: true });
  });

  function bind(transport: Transport) {
    const request = { key: Buffer.from('a') };
    return {
      pool: transport.pool,
      read: (options?: { timeoutMs: number }) => transport.unary('range', () => request, 'read', options),
    };
  }
});
