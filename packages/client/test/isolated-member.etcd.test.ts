import { type Cluster, type ClusterMember, eventually, startCluster } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, type CoordClient, connect } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ size: 3, proxies: true });
});
afterEach(async () => {
  await cluster.heal();
  await cluster.waitForLeader();
});
const closes = closedAfterEach(); // after the hook above: it runs before
afterAll(async () => {
  await cluster?.stop();
});

async function connected(options: ClientOptions = {}): Promise<CoordClient> {
  return closes(await connect({ ...cluster.connectOptions, ...options }));
}

/** The member that the client works with, made the leader or a follower. */
async function inUse(client: CoordClient, role: 'leader' | 'follower'): Promise<ClusterMember> {
  const member = cluster.members.find(({ endpoint }) => endpoint === client.health.endpoint);
  if (member === undefined) throw new Error(`no member at ${client.health.endpoint}`);
  const leads = (await cluster.leader()) === member;
  if (role === 'leader' && !leads) await cluster.moveLeader(member);
  if (role === 'follower' && leads) await cluster.moveLeader();
  await client.kv.get('/isolated/warm');
  expect(client.health.endpoint).toBe(member.endpoint);
  return member;
}

/** A member that answers on its line, but reaches no other member. */
describe('an isolated member', () => {
  it.each(['leader', 'follower'] as const)(
    'that is the %s and in use: reads go on elsewhere',
    async (role) => {
      const client = await connected({ requestTimeoutMs: 15_000 });
      const member = await inUse(client, role);
      cluster.isolate(member);
      for (let call = 0; call < 10; call++) await client.kv.get('/isolated/a');
      expect(client.health.endpoint).not.toBe(member.endpoint);
      await client.kv.put('/isolated/a', 'x');
      expect((await client.kv.get('/isolated/a'))?.text()).toBe('x');
    },
  );

  it('writes: each was applied at most once, and its outcome is right', async () => {
    const client = await connected({ requestTimeoutMs: 3_000 });
    const member = await inUse(client, 'follower');
    cluster.isolate(member);
    const outcomes = new Map<string, string>();
    for (let call = 0; call < 10; call++) {
      const key = `/isolated/once/${call}`;
      outcomes.set(
        key,
        await client.kv.put(key, 'x').then(
          () => 'applied',
          (error: { outcome: string }) => error.outcome,
        ),
      );
    }
    await cluster.heal();
    await cluster.waitForLeader();
    const unknown = [...outcomes.values()].filter((outcome) => outcome === 'unknown');
    expect(unknown.length).toBeLessThanOrEqual(2); // it is left after one timeout
    for (const [key, outcome] of outcomes) {
      const version = (await client.kv.get(key))?.version ?? 0;
      if (outcome === 'applied') expect([key, version]).toEqual([key, 1]);
      else if (outcome === 'not-applied') expect([key, version]).toEqual([key, 0]);
      else expect(version).toBeLessThanOrEqual(1);
    }
  });

  it('stays unhealthy for as long as it is isolated, though it answers, and recovers without a call', async () => {
    const client = await connected({ requestTimeoutMs: 8_000 });
    const member = await inUse(client, 'follower');
    const states: string[] = [];
    const stateOf = () => client.health.endpoints.find(({ endpoint }) => endpoint === member.endpoint)?.state;
    cluster.isolate(member);
    await client.kv.get('/isolated/a');
    await eventually(() => stateOf() === 'unhealthy', { timeoutMs: 20_000 });
    const stop = client.health.subscribe(() => states.push(stateOf() ?? 'gone'));
    // Long enough for several probes: Status is answered, a linearizable read is not.
    const startedAt = performance.now();
    await eventually(() => performance.now() - startedAt > 6_000, { timeoutMs: 20_000, intervalMs: 200 });
    expect(states.filter((state) => state !== 'unhealthy')).toEqual([]);
    await cluster.heal();
    await eventually(() => stateOf() === 'healthy', { timeoutMs: 30_000 });
    stop();
  });

  it('is passed over by connect, and refused when it is alone', async () => {
    const member = cluster.members[0];
    if (member === undefined) throw new Error('there are three');
    cluster.isolate(member);
    await cluster.waitForLeader({ not: member });
    const alone = connect({ endpoints: [member.endpoint], dialTimeoutMs: 8_000 });
    await expect(alone).rejects.toMatchObject({ name: 'ConnectionError' });
    const client = await connected();
    expect(client.health.endpoint).not.toBe(member.endpoint);
  });
});
