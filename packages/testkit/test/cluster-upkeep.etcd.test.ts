import { describe, expect, it } from 'vitest';
import { ensureEtcd, startCluster, startEtcd } from '../src/index.js';
import { describeBinary } from './binary-only.js';

const MIB = 1024 * 1024;

/** What Range answers at a revision. */
async function rangeAt(endpoint: string, revision: bigint): Promise<string> {
  const body = JSON.stringify({ key: 'aw==', revision: String(revision), serializable: true });
  return (await fetch(`${endpoint}/v3/kv/range`, { method: 'POST', body })).text();
}

it('compacts one etcd up to now, and up to a revision', async () => {
  await using server = await startEtcd();
  for (const value of ['1', '2', '3']) await server.etcdctl(['put', 'k', value]);
  expect(await server.compact(3n)).toBe(3n);
  expect(await rangeAt(server.endpoint, 2n)).toMatch(/compacted/);
  expect(await rangeAt(server.endpoint, 3n)).toMatch(/"kvs"/);
  expect(await server.compact()).toBe(4n);
  expect(await server.compact()).toBe(4n);
  expect(await rangeAt(server.endpoint, 3n)).toMatch(/compacted/);
  await expect(server.compact(99n)).rejects.toThrow(/future revision/);
});

it('fills the quota of one etcd, which restarts full, and frees it again', async () => {
  await using server = await startEtcd({ quotaBytes: 2 * MIB });
  await server.fillQuota();
  await expect(server.etcdctl(['put', 'k', 'v'])).rejects.toThrow(/database space exceeded/);
  await server.restart();
  await expect(server.etcdctl(['put', 'k', 'v'])).rejects.toThrow(/database space exceeded/);
  await server.freeSpace();
  expect(await server.etcdctl(['put', 'k', 'v'])).toBe('OK\n');
  expect((await server.status()).dbSizeBytes).toBeLessThan(MIB);
  await using unlimited = await startEtcd();
  await expect(unlimited.fillQuota()).rejects.toMatchObject({ code: 'COORD_TESTKIT_INVALID_STATE' });
});

describe('a cluster', () => {
  it('has compacted every member when compact() resolves, one with a slow line too', async () => {
    await using cluster = await startCluster({ proxies: 'peer' });
    for (const value of ['1', '2', '3']) await cluster.etcdctl(['put', 'k', value]);
    const leader = await cluster.leader();
    const slow = cluster.members.find((member) => member !== leader) ?? leader;
    cluster.between(leader, slow).delay(150);
    expect(await cluster.compact()).toBe(4n);
    for (const { endpoint } of cluster.members) expect(await rangeAt(endpoint, 3n)).toMatch(/compacted/);
    expect(await cluster.compact(2n)).toBe(2n); // done long ago
  });

  it('fills up, and every member takes writes again after freeSpace()', async () => {
    await using cluster = await startCluster({ quotaBytes: 2 * MIB });
    await cluster.fillQuota();
    await expect(cluster.etcdctl(['put', 'k', 'v'])).rejects.toThrow(/database space exceeded/);
    await cluster.freeSpace();
    for (const member of cluster.members) {
      expect(await member.etcdctl(['put', 'k', member.name])).toBe('OK\n');
      expect((await member.status()).dbSizeBytes).toBeLessThan(MIB);
    }
  });

  it('replaces a dead follower and a living leader, and keeps the data', async () => {
    await using cluster = await startCluster();
    await cluster.etcdctl(['put', 'k', 'v']);
    const leader = await cluster.leader();
    const follower = cluster.members.find((member) => member !== leader) ?? leader;
    await follower.kill();
    const first = await cluster.replaceMember(follower);
    const second = await cluster.replaceMember(leader);
    expect([first.name, second.name]).toEqual(['m4', 'm5']);
    expect([follower.state, leader.state]).toEqual(['stopped', 'stopped']);
    expect(cluster.members).toHaveLength(3);
    expect(cluster.members).toEqual(expect.arrayContaining([first, second]));
    const listed = await cluster.etcdctl(['member', 'list']);
    expect(listed.match(/m\d/g)?.sort()).toEqual(cluster.members.map(({ name }) => name).sort());
    for (const member of cluster.members) {
      expect(await member.etcdctl(['get', 'k', '--print-value-only'])).toBe('v\n');
    }
    await expect(cluster.replaceMember(leader)).rejects.toThrow(/no member/);
  });

  it('refuses to replace a member where no majority would be left', async () => {
    await using cluster = await startCluster();
    const [a, b, c] = cluster.members;
    if (!a || !b || !c) throw new Error('three members were asked for');
    await cluster.moveLeader(b);
    await b.pause();
    await expect(cluster.replaceMember(a)).rejects.toMatchObject({ code: 'COORD_TESTKIT_INVALID_STATE' });
    expect(cluster.members).toEqual([a, b, c]);
    expect(a.state).toBe('running');
    await cluster.replaceMember(b); // though nobody has taken over yet
    expect(b.state).toBe('stopped');
  });
});

const newer = await ensureEtcd({ version: '3.5' }).catch(() => undefined);
if (!newer) console.warn('SKIPPED: rolling upgrade, as there is no etcd 3.5');

describeBinary(
  'members of different versions',
  () => {
    it('serve together, and are upgraded one by one without losing data', async () => {
      await using cluster = await startCluster({ version: ['3.4', '3.4', '3.5'] });
      expect(cluster.members.map(({ version }) => version.slice(0, 3))).toEqual(['3.4', '3.4', '3.5']);
      await cluster.etcdctl(['put', 'k', 'v']);
      for (const member of cluster.members.slice(0, 2)) {
        await member.restart({ version: '3.5' });
        expect(member.version).toMatch(/^3\.5\./);
        expect((await member.status()).version).toBe(member.version);
        expect(await member.etcdctl(['get', 'k', '--print-value-only'])).toBe('v\n');
      }
    });
  },
  newer !== undefined,
);
