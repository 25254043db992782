import { type Cluster, ensureEtcd, eventually, startCluster } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { type CoordClient, CoordError, connect } from '../src/index.js';
import { readUntil } from './watch-support.js';

const TTL_MS = 5_000;
const COUNTER = '/upgrade/counter';

async function canUpgrade(): Promise<boolean> {
  if (process.env.COORD_TEST_BACKEND === 'testcontainers') return false; // there the version stays
  try {
    for (const version of ['3.4', '3.5']) await ensureEtcd({ version });
    return true;
  } catch {
    return false;
  }
}
const upgradable = await canUpgrade();
if (!upgradable) console.warn('NOT RUN: rolling upgrade, as there is no etcd 3.4 and 3.5');

/** Counts up by compare-and-set, one step after the other, until told to stop. */
class Counter {
  steps = 0;
  unknown = 0;
  readonly #client: CoordClient;
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(client: CoordClient) {
    this.#client = client;
    this.#running = this.#run();
    this.#running.catch(() => undefined); // told by stop()
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const current = await this.#client.kv.get(COUNTER);
      const value = String(Number(current?.text() ?? 0) + 1);
      try {
        const { succeeded } = await this.#client.kv.txn({
          compare: [{ key: COUNTER, target: 'mod', is: '=', to: current?.modRevision ?? 0n }],
          success: [{ put: { key: COUNTER, value } }],
        });
        if (succeeded) this.steps++;
      } catch (error) {
        if (!CoordError.is(error)) throw error;
        if (error.outcome === 'unknown') this.unknown++;
      }
    }
  }
}

/** Changes each member while a client works: `change` is told its place in the cluster. */
async function workWhile(cluster: Cluster, change: (index: number) => Promise<unknown>): Promise<void> {
  const client = await connect({ ...cluster.connectOptions, requestTimeoutMs: 10_000 });
  try {
    const session = await client.session({ ttlMs: TTL_MS });
    const startedAt = performance.now();
    await client.kv.put('/upgrade/held', '', { session });
    const watch = client.watch(COUNTER, { maxBuffered: 100_000 });
    await watch.ready;
    const counters = [new Counter(client), new Counter(client)];
    const steps = () => counters.reduce((sum, each) => sum + each.steps, 0);
    for (let index = 0; index < 3; index++) {
      await change(index);
      const before = steps();
      await eventually(() => steps() >= before + 20, { timeoutMs: 30_000 });
    }
    // Longer than the lease would live by itself.
    await eventually(() => performance.now() - startedAt > TTL_MS + 1_000, { timeoutMs: TTL_MS + 5_000 });
    for (const counter of counters) await counter.stop();

    expect(session.state).toBe('alive');
    expect((await client.kv.get('/upgrade/held'))?.leaseId).toBe(session.leaseId);
    const last = await client.kv.get(COUNTER);
    const unknown = counters.reduce((sum, each) => sum + each.unknown, 0);
    expect(last?.version).toBe(Number(last?.text())); // no step was written over
    expect(last?.version).toBeGreaterThanOrEqual(steps());
    expect(last?.version).toBeLessThanOrEqual(steps() + unknown);
    const batches = await readUntil(watch, last?.modRevision ?? 0n);
    expect(batches.map(({ events }) => events.map(({ kv }) => Number(kv.text())))).toEqual(
      Array.from({ length: last?.version ?? 0 }, (_, i) => [i + 1]),
    );
    expect(batches.some(({ resync }) => resync)).toBe(false);
  } finally {
    await client.close();
  }
}

describe('a watch misses and repeats nothing, a session lives, and no update is lost', () => {
  const itUpgrades = upgradable ? it : (_title: string, _test: () => Promise<void>) => undefined;

  itUpgrades('through a rolling upgrade from 3.4 to 3.5', async () => {
    await using cluster = await startCluster({ size: 3, version: '3.4', heartbeatMs: 50, electionMs: 500 });
    await workWhile(cluster, async (index) => {
      const member = cluster.members[index];
      await member?.restart({ version: '3.5' });
      expect(member?.version).toMatch(/^3\.5\./);
      await cluster.waitForLeader();
    });
  });

  it('while two of three members are replaced by new ones, the leader first', async () => {
    await using cluster = await startCluster({ size: 3, heartbeatMs: 50, electionMs: 500 });
    // The client knows those it began with: one of them has to stay.
    const known = [...cluster.members];
    const leader = await cluster.leader();
    const stays = known.find((member) => member !== leader);
    const going = [leader, ...known.filter((member) => member !== leader && member !== stays)];
    await workWhile(cluster, async (index) => {
      const old = going[index];
      if (old) await cluster.replaceMember(old);
      await cluster.waitForLeader();
    });
  });
});
