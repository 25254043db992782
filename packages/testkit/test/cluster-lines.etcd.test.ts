import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Cluster, type ClusterMember, eventually, startCluster } from '../src/index.js';

/** Elections take longer where others compute. */
const PATIENCE = { timeoutMs: 20_000 };

let cluster: Cluster;
let a: ClusterMember;
let b: ClusterMember;
let c: ClusterMember;

/** One for all tests: it is healed and led by `a` when each begins. */
function useCluster(): void {
  beforeAll(async () => {
    // What would have a Go program pass its proxy by.
    vi.stubEnv('NO_PROXY', '*');
    vi.stubEnv('REQUEST_METHOD', 'GET');
    cluster = await startCluster({ proxies: true });
    vi.unstubAllEnvs();
  });
  beforeEach(async () => {
    await cluster.heal();
    const [first, second, third] = cluster.members;
    if (!first || !second || !third) throw new Error('three members were asked for');
    [a, b, c] = [first, second, third];
    for (const member of cluster.members) await follows(member);
    await cluster.moveLeader(a);
  });
  afterAll(() => cluster?.stop());
}

const knowsNoLeader = (member: ClusterMember) =>
  eventually(async () => (await member.status()).leaderId === undefined, PATIENCE);

const follows = (member: ClusterMember) =>
  eventually(async () => (await member.status()).leaderId === (await cluster.leader()).id, PATIENCE);

/** A put by way of etcd's JSON gateway; the status, or what went wrong. */
async function put(endpoint: string, key: string, timeoutMs = 20_000): Promise<number | string> {
  const body = JSON.stringify({ key: Buffer.from(key).toString('base64'), value: 'dmFsdWU=' });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return (await fetch(`${endpoint}/v3/kv/put`, { method: 'POST', body, signal })).status;
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

const has = async (member: ClusterMember, key: string) => (await member.etcdctl(['get', key])) !== '';

describe('the lines between members', () => {
  useCluster();

  it('cut off, a leader is leader no more, the others go on, and it follows when healed', async () => {
    cluster.isolate(a);
    const next = await cluster.waitForLeader({ not: a });
    expect(await cluster.leader()).toBe(next); // though the old one may believe in itself for a while
    await knowsNoLeader(a);
    expect(await put(next.endpoint, 'majority')).toBe(200);
    expect(await put(a.endpoint, 'minority', 500)).toBe('TimeoutError'); // clients reach it, to no avail
    await cluster.heal();
    await follows(a);
    expect(await has(b, 'majority')).toBe(true);
    expect(await has(a, 'majority')).toBe(true);
  });

  it('a partition leaves what is within a group, and a group without a majority has no leader', async () => {
    cluster.partition([a], [b], [c]);
    for (const member of cluster.members) await knowsNoLeader(member);
    cluster.between(a, c).heal();
    const leader = await cluster.leader();
    expect([a, c]).toContain(leader);
    await follows(a);
    await follows(c);
    expect((await b.status()).leaderId).toBeUndefined();
    await cluster.heal();
    await follows(b);
  });

  it('with one line cut the leader stays, and the member behind it knows no leader', async () => {
    const { raftTerm } = await a.status();
    cluster.between(a, b).blackhole();
    await knowsNoLeader(b);
    expect(await cluster.leader()).toBe(a);
    expect((await a.status()).raftTerm).toBe(raftTerm);
    expect(await put(a.endpoint, 'x')).toBe(200);
    await cluster.heal();
    await follows(b);
  });

  it('one way only: a leader that nobody hears is replaced, and hears who replaced it', async () => {
    for (const other of [b, c]) cluster.between(a, other).blackhole({ from: a });
    const next = await cluster.waitForLeader({ not: a });
    await eventually(async () => (await a.status()).leaderId === next.id, PATIENCE);
    expect(await put(a.endpoint, 'unheard', 500)).toBe('TimeoutError');
    expect(() => cluster.between(b, c).blackhole({ from: a })).toThrow(/one of the two/);
  });

  it('a line that is cut and refuses parts two members, until it accepts again', async () => {
    const line = cluster.between(a, b);
    await eventually(() => line.connections > 0);
    line.refuse();
    line.cut();
    await knowsNoLeader(b);
    expect(line.connections).toBe(0);
    line.accept();
    await follows(b);
    expect(line.connections).toBeGreaterThan(0);
    await cluster.moveLeader(a); // its return may have cost `a` the leadership
    line.refuse();
    line.resetConnections();
    await knowsNoLeader(b);
    await cluster.heal();
    await follows(b);
  });

  it('a delay of both ways is felt by every write', async () => {
    for (const other of [b, c]) cluster.between(a, other).delay(100);
    const startedAt = performance.now();
    expect(await put(a.endpoint, 'slow')).toBe(200);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195);
  });

  it('a replacement has lines too', async () => {
    const { endpoint } = b;
    const fresh = await cluster.replaceMember(b);
    await expect(fetch(`${endpoint}/version`)).rejects.toThrow(); // its proxy is gone
    cluster.isolate(fresh);
    await knowsNoLeader(fresh);
    expect(await cluster.leader()).toBe(a);
    expect(() => cluster.isolate(b)).toThrow(/no member/);
  });
});

describe('the line between clients and a member', () => {
  useCluster();

  it('is where clients are told to go', async () => {
    const listed = await cluster.etcdctl(['member', 'list']);
    for (const { endpoint, directEndpoint, target, clientLine } of cluster.members) {
      expect(endpoint).toBe(clientLine.endpoint);
      expect(endpoint).toBe(`http://${target}`);
      expect(cluster.endpoints).toContain(endpoint);
      expect(listed).toContain(endpoint);
      expect(listed).not.toContain(directEndpoint);
    }
  });

  it('is cut, frozen, slowed down and refused for one member alone, which does not notice', async () => {
    a.clientLine.blackhole();
    expect(await put(a.endpoint, 'lost', 300)).toBe('TimeoutError');
    expect(await put(b.endpoint, 'other')).toBe(200);
    expect((await a.status()).isLeader).toBe(true);
    await cluster.heal();
    a.clientLine.delay(100);
    const startedAt = performance.now();
    expect(await put(a.endpoint, 'slow')).toBe(200);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195);
    await a.clientLine.refuse();
    a.clientLine.resetConnections();
    expect(await put(a.endpoint, 'refused')).toBe('TypeError');
    expect(await put(a.directEndpoint, 'direct')).toBe(200);
    await cluster.heal();
    expect(await put(a.endpoint, 'healed')).toBe(200);
  });

  it('goes with the member when clients are isolated too', async () => {
    cluster.isolate(a, { clients: true });
    expect(await put(a.endpoint, 'lost', 300)).toBe('TimeoutError');
    const next = await cluster.waitForLeader({ not: a });
    expect(await put(next.endpoint, 'x')).toBe(200);
    await cluster.heal();
    await follows(a);
    expect(await put(a.endpoint, 'y')).toBe(200);
  });
});

describe('a cluster without proxies', () => {
  it('says so when a line is to fail', async () => {
    await using plain = await startCluster({ size: 2 });
    const [one, two] = plain.members;
    if (!one || !two) throw new Error('two members were asked for');
    const missing = expect.objectContaining({ code: 'COORD_TESTKIT_INVALID_STATE' });
    expect(() => plain.isolate(one)).toThrow(missing);
    expect(() => plain.between(one, two)).toThrow(missing);
    expect(() => one.clientLine).toThrow(missing);
    expect(one.endpoint).toBe(one.directEndpoint);
    await plain.heal();
  });
});
