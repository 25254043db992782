import {
  type Cluster,
  type ClusterMember,
  eventually,
  startCluster,
  startProxy,
  type Proxy as TcpProxy,
} from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, type CoordClient, connect, createClient } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { unansweringAddress } from './unanswering-address.js';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ size: 3 });
});
afterEach(async () => {
  for (const member of cluster.members) {
    if (member.state === 'paused') await member.resume();
    if (member.state !== 'running') await member.restart();
  }
  await cluster.waitForLeader();
});
const closes = closedAfterEach(); // after the hook above: it runs before
afterAll(async () => {
  await cluster?.stop();
});

async function connected(options: ClientOptions = {}): Promise<CoordClient> {
  return closes(await connect({ ...cluster.connectOptions, ...options }));
}

function memberAt(endpoint: string): ClusterMember {
  const member = cluster.members.find((each) => each.endpoint === endpoint);
  if (member === undefined) throw new Error(`no member at ${endpoint}`);
  return member;
}

/** The member that the client works with, made a follower. */
async function followerInUse(client: CoordClient): Promise<ClusterMember> {
  const member = memberAt(client.health.endpoint);
  if ((await cluster.leader()) === member) await cluster.moveLeader();
  await client.kv.get('/failover/warm');
  expect(client.health.endpoint).toBe(member.endpoint);
  return member;
}

/** Calls made one after the other: the durations of the slow ones, and the errors. */
async function timed(times: number, call: (index: number) => Promise<unknown>, slowMs = 900) {
  const slow: number[] = [];
  const errors: unknown[] = [];
  for (let index = 0; index < times; index++) {
    const startedAt = performance.now();
    await call(index).catch((error: unknown) => errors.push(error));
    const tookMs = performance.now() - startedAt;
    if (tookMs > slowMs) slow.push(tookMs);
  }
  return { slow, errors };
}

describe('a member that fails', () => {
  it('kill -9: no read fails, and the next member is in use', async () => {
    const client = await connected();
    const member = await followerInUse(client);
    await member.kill();
    const { errors } = await timed(20, () => client.kv.get('/failover/a'));
    expect(errors).toEqual([]);
    expect(client.health.endpoint).not.toBe(member.endpoint);
  });

  it('SIGSTOP: costs reads one short attempt, not one call in three', async () => {
    const client = await connected({ requestTimeoutMs: 4_000 });
    const member = await followerInUse(client);
    await member.pause();
    const { slow, errors } = await timed(20, () => client.kv.get('/failover/a'));
    expect(errors).toEqual([]);
    expect(slow).toHaveLength(1);
    expect(slow[0]).toBeLessThan(2_000); // a quarter of the timeout, and the way to the next member
  });

  it('SIGSTOP: costs writes one timeout, whose outcome is unknown', async () => {
    const client = await connected({ requestTimeoutMs: 1_500 });
    const member = await followerInUse(client);
    await member.pause();
    const { slow, errors } = await timed(20, (index) => client.kv.put(`/failover/stop/${index}`, 'x'));
    expect(errors).toMatchObject([{ name: 'TimeoutError', outcome: 'unknown' }]);
    expect(slow).toHaveLength(1);
  });

  it('a frozen leader: reads go on once there is another one', async () => {
    const client = await connected({ requestTimeoutMs: 15_000 });
    const leader = await cluster.leader();
    await leader.pause();
    const { errors } = await timed(10, () => client.kv.get('/failover/a'));
    expect(errors).toEqual([]);
    expect(client.health.endpoint).not.toBe(leader.endpoint);
  });

  it('its recovery is noticed without a call, and the client stays where it is', async () => {
    const client = await connected({ requestTimeoutMs: 2_000 });
    const member = await followerInUse(client);
    await member.pause();
    await client.kv.get('/failover/a');
    const next = client.health.endpoint;
    const stateOf = (url: string) => client.health.endpoints.find(({ endpoint }) => endpoint === url)?.state;
    expect([stateOf(member.endpoint), next === member.endpoint]).toEqual(['unhealthy', false]);
    await member.resume();
    await eventually(() => stateOf(member.endpoint) === 'healthy', { timeoutMs: 20_000 });
    expect(client.health.endpoint).toBe(next);
  });
});

describe('a line that fails', () => {
  /** A client over a proxy to each member; the one in use is the first. */
  async function proxied(options: ClientOptions): Promise<{ client: CoordClient; proxies: TcpProxy[] }> {
    const proxies = await Promise.all(
      cluster.members.map(({ endpoint }) => startProxy({ target: endpoint })),
    );
    proxies.forEach(closes);
    const client = await connected({ ...options, endpoints: proxies.map(({ endpoint }) => endpoint) });
    proxies.sort((a) => (a.endpoint === client.health.endpoint ? -1 : 1));
    return { client, proxies };
  }

  it('black hole: reads go on elsewhere after one short attempt', async () => {
    const { client, proxies } = await proxied({ requestTimeoutMs: 4_000 });
    proxies[0]?.blackhole();
    const { slow, errors } = await timed(20, () => client.kv.get('/failover/a'));
    expect(errors).toEqual([]);
    expect(slow).toHaveLength(1);
  });

  it('refused: writes go on elsewhere at once, for they were never sent', async () => {
    const refusing = await Promise.all([0, 1].map(() => startProxy({ target: cluster.endpoints[0] ?? '' })));
    refusing.forEach(closes);
    for (const proxy of refusing) await proxy.refuse();
    const endpoints = [...refusing.map(({ endpoint }) => endpoint), ...cluster.endpoints.slice(0, 1)];
    for (let run = 0; run < 4; run++) {
      // the first endpoint is chosen at random
      const client = createClient({ endpoints });
      closes(client);
      const key = `/failover/refused/${run}`;
      await client.kv.put(key, 'x');
      expect((await client.kv.get(key))?.version).toBe(1);
      expect(client.health.endpoint).toBe(cluster.endpoints[0]);
    }
  });

  it('packets are dropped: writes go on elsewhere after a share of their time, connect says what is wrong', async () => {
    await using address = await unansweringAddress();
    const endpoints = [address.endpoint, ...cluster.endpoints.slice(0, 1)];
    for (let run = 0; run < 6; run++) {
      // the first endpoint is chosen at random
      const client = createClient({ endpoints, requestTimeoutMs: 4_000, dialTimeoutMs: 500 });
      const key = `/failover/dropped/${run}`;
      await client.kv.put(key, 'x');
      expect((await client.kv.get(key))?.version).toBe(1);
      await client.close();
    }
    await expect(connect({ endpoints: [address.endpoint], dialTimeoutMs: 500 })).rejects.toThrow(
      /cannot connect to etcd: .*(no connection within 500 ms|no answer within)/,
    );
  });

  it('a write does not spend its deadline on an endpoint that takes no connection', async () => {
    const silent = await Promise.all([0, 1].map(() => startProxy({ target: cluster.endpoints[0] ?? '' })));
    silent.forEach(closes);
    for (const proxy of silent) proxy.blackhole();
    const endpoints = [...silent.map(({ endpoint }) => endpoint), ...cluster.endpoints.slice(0, 1)];
    for (let run = 0; run < 3; run++) {
      // the first endpoint is chosen at random
      const client = createClient({ endpoints, requestTimeoutMs: 4_000 });
      closes(client);
      const key = `/failover/silent/${run}`;
      await client.kv.put(key, 'x');
      expect((await client.kv.get(key))?.version).toBe(1);
    }
  });
});

describe('a member without a leader', () => {
  it('answers, but is passed over by connect and by health', async () => {
    const lonely = await startCluster({ size: 3 });
    closes({ close: () => lonely.stop() });
    const [survivor, ...others] = lonely.members;
    if (survivor === undefined) throw new Error('there are three');
    await Promise.all(others.map((member) => member.kill()));
    await eventually(
      async () => {
        const { errors } = await timed(1, () =>
          connect({ endpoints: [survivor.endpoint], dialTimeoutMs: 1_000 }),
        );
        expect(String(errors[0])).toContain('no leader');
      },
      { timeoutMs: 20_000 },
    );
    const endpoints = [survivor.endpoint, ...cluster.endpoints];
    for (let run = 0; run < 3; run++) {
      const client = closes(await connect({ endpoints }));
      expect(client.health.endpoint).not.toBe(survivor.endpoint);
      await eventually(() =>
        expect(client.health.endpoints[0]).toMatchObject({
          state: 'unhealthy',
          reason: expect.stringContaining('no leader'),
        }),
      );
    }
    // The election is over in a moment: a client that starts meanwhile waits for it.
    const early = connect({ endpoints: [survivor.endpoint], dialTimeoutMs: 30_000 });
    const [client] = await Promise.all([early, others[0]?.restart()]);
    closes(client);
    await client.kv.put('/failover/early', 'x');
  });

  it('fails calls at once instead of hanging, never applied; what may be stale can still be read', async () => {
    const client = await connected({ retry: { maxAttempts: 1 } });
    await client.kv.put('/failover/stale', 'x');
    const [survivor, ...others] = cluster.members;
    if (survivor === undefined) throw new Error('there are three');
    const alone = await connected({ endpoints: [survivor.endpoint], retry: { maxAttempts: 1 } });
    await eventually(async () =>
      expect((await alone.kv.get('/failover/stale', { serializable: true }))?.text()).toBe('x'),
    );
    await Promise.all(others.map((member) => member.kill()));
    await eventually(
      async () => {
        const startedAt = performance.now();
        const failed = alone.kv.put('/failover/stale', 'y', { timeoutMs: 4_000 });
        await expect(failed).rejects.toMatchObject({ name: 'ConnectionError', outcome: 'not-applied' });
        expect(performance.now() - startedAt).toBeLessThan(1_000);
      },
      { timeoutMs: 20_000 },
    );
    expect((await alone.kv.get('/failover/stale', { serializable: true }))?.text()).toBe('x');
  });
});
