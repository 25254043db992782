import { afterEach, expect, it, vi } from 'vitest';
import { resolveClusterOptions } from './cluster-options.js';

afterEach(() => vi.unstubAllEnvs());

it('has three members of one version, and no proxies', () => {
  vi.stubEnv('COORD_ETCD_VERSION', '3.4');
  expect(resolveClusterOptions({})).toMatchObject({
    size: 3,
    versions: ['3.4', '3.4', '3.4'],
    clientProxies: false,
    peerProxies: false,
  });
});

it('takes a version for each member, and proxies of either kind', () => {
  expect(resolveClusterOptions({ size: 2, version: ['3.4', 'v3.5.16'], proxies: 'peer' })).toMatchObject({
    versions: ['3.4', '3.5.16'],
    clientProxies: false,
    peerProxies: true,
  });
  expect(resolveClusterOptions({ proxies: true })).toMatchObject({ clientProxies: true, peerProxies: true });
  expect(resolveClusterOptions({ proxies: 'client' })).toMatchObject({
    clientProxies: true,
    peerProxies: false,
  });
});

it.each([
  [{ size: 0 }, /size 0/],
  [{ size: 2.5 }, /size 2.5/],
  [{ size: 8 }, /size 8/],
  [{ version: ['3.4'] }, /list of 1 versions/],
  [{ version: ['3.4', '3.4', 'latest'] }, /latest/],
  [{ electionMs: 200 }, /five times/],
  [{ heartbeatMs: 300 }, /five times/],
  [{ heartbeatMs: 0.5 }, /heartbeatMs 0.5/],
  [{ quotaBytes: -1 }, /quotaBytes -1/],
  [{ hosts: [{}] }, /list of 1 hosts/],
  [{ size: 1, hosts: [{ address: 'localhost' }] }, /address "localhost" of host 0/],
  [{ size: 1, hosts: [{ directAddress: '' }] }, /address "" of host 0/],
  [{ size: 1, hosts: [{}], tls: true }, /tls with hosts/],
  [{ size: 1, hosts: [{}], proxies: true }, /proxies between members that have hosts/],
  [{ size: 1, hosts: [{}], backend: 'testcontainers' as const }, /hosts for containers/],
])('refuses %j', (options, message) => {
  expect(() => resolveClusterOptions(options)).toThrow(message);
});
