import { describe, expect, it } from 'vitest';
import { type Cluster, eventually, startCluster } from '../src/index.js';

const put = (cluster: Cluster, value: string) => cluster.etcdctl(['put', 'k', value]);
const get = async (member: { etcdctl(args: string[]): Promise<string> }) =>
  (await member.etcdctl(['get', 'k', '--print-value-only'])).trim();

describe('startCluster', () => {
  it('is ready when every member serves and follows the same leader', async () => {
    await using cluster = await startCluster();
    expect(cluster.members.map(({ name }) => name)).toEqual(['m1', 'm2', 'm3']);
    expect(new Set(cluster.members.map(({ id }) => id)).size).toBe(3);
    expect(cluster.connectOptions).toEqual({ endpoints: cluster.members.map(({ endpoint }) => endpoint) });
    const status = await Promise.all(cluster.members.map((member) => member.status()));
    expect(new Set(status.map(({ leaderId }) => leaderId))).toEqual(new Set([(await cluster.leader()).id]));
    expect(status.filter(({ isLeader }) => isLeader)).toHaveLength(1);
    expect(status.map(({ memberId }) => memberId)).toEqual(cluster.members.map(({ id }) => id));
  });

  it('elects another leader when one is killed, which comes back with its data and what it missed', async () => {
    await using cluster = await startCluster();
    await put(cluster, 'before');
    const old = await cluster.leader();
    await old.kill();
    expect(old.state).toBe('down');
    const next = await cluster.waitForLeader({ not: old });
    expect(next).not.toBe(old);
    await put(cluster, 'after');
    const { endpoint } = old;
    await old.restart();
    expect(old.endpoint).toBe(endpoint);
    expect(await get(old)).toBe('after');
    expect((await old.status()).raftTerm).toBe((await next.status()).raftTerm);
  });

  it('elects another leader while one is frozen, which follows when it thaws', async () => {
    await using cluster = await startCluster();
    const old = await cluster.leader();
    await old.pause();
    const next = await cluster.waitForLeader({ not: old });
    await old.resume();
    await eventually(async () => (await old.status()).leaderId === next.id, { timeoutMs: 20_000 });
  });

  it('moves the leader to the member of choice, or to any other', async () => {
    await using cluster = await startCluster();
    const first = await cluster.leader();
    const second = await cluster.moveLeader();
    expect(second).not.toBe(first);
    expect(await cluster.moveLeader(first)).toBe(first);
    expect(await cluster.leader()).toBe(first);
    expect(await cluster.moveLeader(first)).toBe(first);
    await second.kill();
    await expect(cluster.moveLeader(second)).rejects.toThrow(/down/);
  });

  it('has no leader without a majority, and comes back one member at a time', async () => {
    await using cluster = await startCluster();
    await put(cluster, 'kept');
    const [a, b, c] = cluster.members;
    await Promise.all(cluster.members.map((member) => member.kill()));
    await expect(cluster.leader({ timeoutMs: 200 })).rejects.toMatchObject({ code: 'COORD_TESTKIT_TIMEOUT' });
    await a?.restart(); // alone: it cannot serve yet
    await expect(cluster.leader({ timeoutMs: 200 })).rejects.toMatchObject({ code: 'COORD_TESTKIT_TIMEOUT' });
    await b?.restart();
    expect(await put(cluster, 'again')).toBe('OK\n');
    await c?.restart();
    for (const member of cluster.members) expect(await get(member)).toBe('again');
  });

  it('is one etcd to its members, with passwords and certificates too', async () => {
    await using cluster = await startCluster({ auth: true, tls: { clientCertAuth: true } });
    expect(cluster.connectOptions).toMatchObject({ username: 'root', password: 'root', tls: cluster.tls });
    await put(cluster, 'x');
    for (const member of cluster.members) {
      expect(member.connectOptions.tls).toEqual(cluster.tls);
      expect(await get(member)).toBe('x');
    }
    await cluster.moveLeader();
    expect(await cluster.compact()).toBe(2n);
  });

  it('runs beside others, each for itself', async () => {
    const clusters = await Promise.all([startCluster({ size: 1 }), startCluster({ size: 2 })]);
    const [one, two] = clusters;
    await put(one, '1');
    await put(two, '2');
    expect([one.members.length, two.members.length]).toEqual([1, 2]);
    expect([await get(await one.leader()), await get(await two.leader())]).toEqual(['1', '2']);
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    expect(clusters.flatMap(({ members }) => members.map(({ state }) => state))).toEqual(
      Array.from({ length: 3 }, () => 'stopped'),
    );
  });
});
