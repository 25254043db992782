import { isIPv4 } from 'node:net';
import type { StartClusterOptions } from './cluster-options.js';
import { invalid } from './options.js';

/** Where a member of a cluster runs, if not simply beside this process: in a network namespace, say. */
export interface ClusterHost {
  /** The IP address at which clients and the other members reach it. @default '127.0.0.1' */
  readonly address?: string | undefined;
  /** The IP address at which this process reaches it. @default `address` */
  readonly directAddress?: string | undefined;
  /**
   * The command that starts etcd there, as `['nsenter', '--net=/proc/4711/ns/net']`; etcd's file and its flags follow. It has to become etcd
   * (`exec`), so that signals reach it. @default etcd is started directly
   */
  readonly launcher?: readonly string[] | undefined;
}

/** @internal */
export type ResolvedHost = Required<{ readonly [Key in keyof ClusterHost]: NonNullable<ClusterHost[Key]> }>;

/** Beside this process. @internal */
export const LOOPBACK: ResolvedHost = { address: '127.0.0.1', directAddress: '127.0.0.1', launcher: [] };

/** @internal */
export function resolveHosts(
  hosts: readonly ClusterHost[],
  { backend, tls, proxies = false }: Pick<StartClusterOptions, 'backend' | 'tls' | 'proxies'>,
  size: number,
): ResolvedHost[] {
  if (hosts.length !== size)
    throw invalid(`a list of ${hosts.length} hosts`, `give one for each of the ${size} members`);
  if (backend === 'testcontainers') throw invalid('hosts for containers', "use the backend 'binary'");
  if (tls) throw invalid('tls with hosts', 'leave one of them out: certificates are for 127.0.0.1');
  if (proxies === true || proxies === 'peer')
    throw invalid('proxies between members that have hosts', "use 'client'");
  return hosts.map((host, index) => {
    const { address = LOOPBACK.address, directAddress = address, launcher = [] } = host;
    for (const each of [address, directAddress])
      if (!isIPv4(each))
        throw invalid(`address ${JSON.stringify(each)} of host ${index}`, 'give an IPv4 address');
    return { address, directAddress, launcher: [...launcher] };
  });
}

/** The addresses at which a member listens. @internal */
export function listenUrls(
  { address, directAddress }: ResolvedHost,
  port: number,
  scheme: 'http' | 'https' = 'http',
): string {
  return [...new Set([address, directAddress])].map((host) => `${scheme}://${host}:${port}`).join(',');
}
