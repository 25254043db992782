import { type Cluster, eventually, startCluster, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoordClient, CoordError, connect } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';

let cluster: Cluster;
const closes = closedAfterEach();

beforeAll(async () => {
  cluster = await startCluster({ size: 3 });
});
afterAll(async () => {
  await cluster?.stop();
});

type Result = 'ok' | 'not-applied' | 'unknown';

/** What the caller was told. */
async function resultOf(call: Promise<unknown>): Promise<Result> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    if (!CoordError.is(error)) throw error;
    return error.outcome;
  }
}

/** Writes keys of its own, one after the other, until told to stop; a key's version is how often it was applied. */
class Writer {
  readonly results = new Map<string, Result>();
  readonly #client: CoordClient;
  readonly #prefix: string;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(client: CoordClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#running = this.#run();
  }

  get count(): number {
    return this.results.size;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let index = 0; !this.#stopped; index++) {
      const key = `${this.#prefix}${index}`;
      this.results.set(key, await resultOf(this.#client.kv.put(key, 'x', { timeoutMs: 3_000 })));
    }
  }
}

/** How often each write was applied, against what its caller was told. */
async function checkApplied(client: CoordClient, prefix: string, writers: readonly Writer[]) {
  const { kvs } = await client.kv.range({ prefix }, { timeoutMs: 20_000 });
  const versions = new Map(kvs.map((kv) => [kv.key, kv.version]));
  const count = { ok: 0, 'not-applied': 0, unknown: 0 };
  for (const { results } of writers) {
    for (const [key, result] of results) {
      const applied = versions.get(key) ?? 0;
      count[result]++;
      if (result === 'ok') expect([key, applied]).toEqual([key, 1]);
      else if (result === 'not-applied') expect([key, applied]).toEqual([key, 0]);
      else expect(applied).toBeLessThanOrEqual(1);
    }
  }
  return count;
}

describe('a write', () => {
  it('is applied at most once, and its outcome is right, while leaders are killed', async () => {
    const prefix = '/once/kill/';
    const writers: Writer[] = [];
    for (let index = 0; index < 6; index++) {
      const client = closes(await connect({ ...cluster.connectOptions, requestTimeoutMs: 4_000 }));
      writers.push(new Writer(client, `${prefix}${index}/`));
    }
    const written = () => writers.reduce((sum, { count }) => sum + count, 0);
    for (let round = 0; round < 3; round++) {
      const before = written();
      const leader = await cluster.leader();
      await leader.kill();
      await cluster.waitForLeader({ not: leader });
      await leader.restart();
      await eventually(() => written() >= before + 200, { timeoutMs: 30_000 });
    }
    for (const writer of writers) await writer.stop();
    const checker = closes(await connect(cluster.connectOptions));
    const count = await checkApplied(checker, prefix, writers);
    console.log('leader kills:', count);
    expect(count.ok).toBeGreaterThan(300);
  });

  it('whose answer is lost is unknown, and not sent again: put and create', async () => {
    const etcd = await startEtcd();
    closes({ close: () => etcd.stop() });
    const proxy = closes(await startProxy({ target: etcd.endpoint }));
    const direct = closes(await connect(etcd.connectOptions));
    const client = closes(await connect({ endpoints: [proxy.endpoint] }));
    for (let round = 0; round < 10; round++) {
      await client.kv.get('/once/lost'); // connected
      proxy.blackhole('toClient');
      const key = `/once/lost/${round}`;
      const put = resultOf(client.kv.put(key, 'x'));
      const create = resultOf(
        client.kv.txn({
          compare: [{ key: `${key}/new`, target: 'create', is: '=', to: 0 }],
          success: [{ put: { key: `${key}/new`, value: 'x' } }],
        }),
      );
      while ((await direct.kv.range({ prefix: key }, { serializable: true })).count < 2);
      proxy.resetConnections();
      proxy.heal();
      expect([await put, await create]).toEqual(['unknown', 'unknown']);
    }
    const { kvs } = await direct.kv.range({ prefix: '/once/lost/' });
    expect(kvs).toHaveLength(20);
    expect(kvs.filter(({ version }) => version !== 1)).toEqual([]);
  });
});

describe('a rolling restart of all members', () => {
  it('reads go on without a failure; counters by compare-and-set lose and double nothing', async () => {
    const client = closes(await connect({ ...cluster.connectOptions, requestTimeoutMs: 8_000 }));
    await client.kv.put('/once/counter', '0');
    let [reads, increments, failedReads] = [0, 0, 0];
    const results = { 'not-applied': 0, unknown: 0 };
    let rolling = true;
    const reader = async () => {
      while (rolling) {
        reads++;
        await client.kv.get('/once/counter').catch(() => failedReads++);
      }
    };
    let possible = 0; // increments whose outcome was unknown
    const counter = async () => {
      while (rolling) {
        const current = await client.kv.get('/once/counter');
        if (current === undefined) throw new Error('the counter is gone');
        const value = String(Number(current.text()) + 1);
        try {
          const { succeeded } = await client.kv.txn({
            compare: [{ key: '/once/counter', target: 'mod', is: '=', to: current.modRevision }],
            success: [{ put: { key: '/once/counter', value } }],
          });
          if (succeeded) increments++;
        } catch (error) {
          if (!CoordError.is(error)) throw error;
          results[error.outcome]++;
          if (error.outcome === 'unknown') possible++;
        }
      }
    };
    const running = [reader(), counter(), counter()];
    for (const member of cluster.members) {
      await member.restart();
      await cluster.waitForLeader();
      const [readsBefore, incrementsBefore] = [reads, increments];
      await eventually(() => reads > readsBefore + 20 && increments > incrementsBefore + 20, {
        timeoutMs: 20_000,
      });
    }
    rolling = false;
    await Promise.all(running);
    const total = Number((await client.kv.get('/once/counter'))?.text());
    console.log('rolling restart:', { reads, failedReads, increments, total, ...results });
    expect(failedReads).toBe(0);
    expect(total).toBeGreaterThanOrEqual(increments);
    expect(total).toBeLessThanOrEqual(increments + possible);
    expect(increments).toBeGreaterThan(0);
  });
});
