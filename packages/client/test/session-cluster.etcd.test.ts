import { type Cluster, eventually, startCluster } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CoordClient, connect, type Session } from '../src/index.js';

const TTL_MS = 5_000;

let cluster: Cluster;
const clients: CoordClient[] = [];

beforeAll(async () => {
  cluster = await startCluster({ size: 3, proxies: true, heartbeatMs: 50, electionMs: 500 });
});
afterEach(async () => {
  await cluster.heal();
  for (const member of cluster.members) {
    if (member.state === 'paused') await member.resume();
    if (member.state !== 'running') await member.restart();
  }
  await cluster.waitForLeader();
  for (const each of clients.splice(0)) await each.close();
});
afterAll(async () => {
  await cluster?.stop();
});

interface Held {
  readonly client: CoordClient;
  readonly session: Session;
  readonly key: string;
}

async function connectedTo(endpoint: string): Promise<CoordClient> {
  for (;;) {
    const client = await eventually(() => connect(cluster.connectOptions), { timeoutMs: 30_000 });
    if (client.health.endpoint === endpoint) {
      clients.push(client);
      return client;
    }
    await client.close();
  }
}

/** A session through each member, with a key. */
async function held(name: string): Promise<readonly Held[]> {
  return await Promise.all(
    cluster.members.map(async ({ endpoint }, index) => {
      const client = await connectedTo(endpoint);
      const session = await client.session({ ttlMs: TTL_MS });
      const key = `/session/${name}/${index}`;
      await client.kv.put(key, '', { session });
      return { client, session, key };
    }),
  );
}

/** Nobody loses anything, and nobody was lucky: it takes longer than any lease would live by itself. */
async function surviveFor(all: readonly Held[], ms: number): Promise<void> {
  const startedAt = performance.now();
  await eventually(
    () => performance.now() - startedAt > ms || all.some(({ session }) => session.signal.aborted),
    {
      timeoutMs: ms + 10_000,
      intervalMs: 50,
    },
  );
  expect(all.map(({ session }) => session.state)).toEqual(all.map(() => 'alive'));
}

async function keysAreThere(all: readonly Held[]): Promise<void> {
  const client = await connect(cluster.connectOptions);
  clients.push(client);
  for (const { key, session } of all) expect((await client.kv.get(key))?.leaseId).toBe(session.leaseId);
}

describe('sessions of 5 s, one through each member', () => {
  it('survive the death of the leader', async () => {
    const all = await held('killed');
    const leader = await cluster.leader();
    await leader.kill();
    await surviveFor(all, TTL_MS + 500);
    await keysAreThere(all);
  });

  it('survive a frozen leader', async () => {
    const all = await held('frozen');
    const leader = await cluster.leader();
    await leader.pause();
    await surviveFor(all, TTL_MS + 500);
    for (const { client } of all) expect(client.health.endpoint).not.toBe(leader.endpoint);
    await keysAreThere(all);
  });

  it('survive a member that clients reach and the others do not', async () => {
    const all = await held('isolated');
    const leader = await cluster.leader();
    cluster.isolate(leader);
    await surviveFor(all, TTL_MS + 500);
    for (const { client } of all) expect(client.health.endpoint).not.toBe(leader.endpoint);
    await keysAreThere(all);
  });

  it('survive leaders that change, and that all members die and come back within the TTL', async () => {
    const all = await held('all-killed');
    for (let i = 0; i < 3; i++) await cluster.moveLeader();
    await Promise.all(all.map(({ session }) => session.keepAlive()));
    await Promise.all(cluster.members.map((member) => member.kill()));
    await Promise.all(cluster.members.map((member) => member.restart()));
    await surviveFor(all, TTL_MS + 500);
    await keysAreThere(all);
  });
});
