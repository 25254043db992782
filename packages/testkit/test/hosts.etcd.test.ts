import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { type ClusterMember, startCluster } from '../src/index.js';
import { describeBinary } from './binary-only.js';

/** Linux has all of 127.0.0.0/8; elsewhere these addresses would have to be set up. */
const ADDRESSES = process.platform === 'linux' ? ['127.0.0.2', '127.0.0.3'] : ['127.0.0.1', '127.0.0.1'];

const addressOf = ({ endpoint }: ClusterMember) => new URL(endpoint).hostname;

describeBinary('members elsewhere', () => {
  it('run at addresses of their own, started by a command of their own, also after a restart and a replacement', async () => {
    const hosts = ADDRESSES.map((address) => ({
      address,
      directAddress: '127.0.0.1',
      launcher: ['env', `STARTED_AT=${address}`],
    }));
    await using cluster = await startCluster({
      size: 2,
      hosts: [...hosts],
      heartbeatMs: 50,
      electionMs: 500,
    });
    expect(cluster.members.map(addressOf)).toEqual(ADDRESSES);
    for (const { directEndpoint } of cluster.members) expect(directEndpoint).toMatch('http://127.0.0.1:');
    const [, second] = cluster.members;
    if (second === undefined) throw new Error('there are two');
    await second.kill();
    expect(second.state).toBe('down'); // it is etcd that was killed, not the command
    await second.restart();
    await second.etcdctl(['put', 'k', 'v']);
    const answer = await fetch(`${second.endpoint}/version`);
    expect(await answer.json()).toHaveProperty('etcdserver', second.version);
    if (process.platform !== 'linux') return;
    const environment = await readFile(`/proc/${second.pid}/environ`, 'utf8');
    expect(environment.split('\0')).toContain(`STARTED_AT=${ADDRESSES[1]}`);
  });

  it('are replaced by others in the same place', async () => {
    const hosts = [...ADDRESSES, '127.0.0.1'].map((address) => ({ address }));
    await using cluster = await startCluster({ size: 3, hosts, heartbeatMs: 50, electionMs: 500 });
    const [, old] = cluster.members;
    if (old === undefined) throw new Error('there are three');
    const next = await cluster.replaceMember(old);
    expect(next.name).not.toBe(old.name);
    expect(addressOf(next)).toBe(ADDRESSES[1]);
    await next.etcdctl(['put', 'k', 'v']);
  });
});
