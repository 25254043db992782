import { type ClusterHost, type ResolvedHost, resolveHosts } from './cluster-host.js';
import { invalid, type ResolvedStartOptions, resolveStartOptions, type StartEtcdOptions } from './options.js';
import { parseWantedVersion } from './version.js';

/** What kind of cluster to start. */
export interface StartClusterOptions extends Omit<StartEtcdOptions, 'version' | 'startTimeoutMs'> {
  /** How long the start of the cluster, a restart or a replacement may take, in milliseconds. Downloads are not counted. @default 30_000 (binary), 120_000 (testcontainers) */
  readonly startTimeoutMs?: number | undefined;
  /** How many members, 1 to 7. @default 3 */
  readonly size?: number | undefined;
  /**
   * The version of all members, or a list with the version of each, as `['3.4', '3.5', '3.5']`.
   * @default COORD_ETCD_VERSION, else whatever etcd is found first
   */
  readonly version?: string | readonly string[] | undefined;
  /**
   * Puts TCP proxies into the lines, to cut, freeze and slow them down: `'client'` between clients and each member, `'peer'` between
   * each two members, `true` both. They run in this process: a blocked event loop blocks the cluster too.
   * @default false
   */
  readonly proxies?: boolean | 'client' | 'peer' | undefined;
  /**
   * Where each member runs; one that replaces another runs where that did. For the backend `binary`, without `tls` and without proxies between
   * the members.
   * @default beside this process, on 127.0.0.1
   */
  readonly hosts?: readonly ClusterHost[] | undefined;
}

/** @internal */
export interface ResolvedClusterOptions extends ResolvedStartOptions {
  readonly size: number;
  /** One for each member. */
  readonly versions: readonly (string | undefined)[];
  readonly clientProxies: boolean;
  readonly peerProxies: boolean;
  /** Undefined: all members run beside this process. */
  readonly hosts: readonly ResolvedHost[] | undefined;
}

const DEFAULT_SIZE = 3;
/** etcd's own advice is five at most. */
const MAX_SIZE = 7;

/** @internal */
export function resolveClusterOptions(options: StartClusterOptions): ResolvedClusterOptions {
  const { size = DEFAULT_SIZE, version, proxies = false, hosts, ...common } = options;
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE) {
    throw invalid(`size ${size}`, `give a whole number from 1 to ${MAX_SIZE}`);
  }
  const cluster = {
    size,
    clientProxies: proxies === true || proxies === 'client',
    peerProxies: proxies === true || proxies === 'peer',
    hosts: hosts && resolveHosts(hosts, options, size),
  };
  // The check of etcd itself also wants every member to have been connected for 5 s; replaceMember has one of its own.
  const args = ['--strict-reconfig-check=false', ...(common.args ?? [])];
  if (version === undefined || typeof version === 'string') {
    const settings = resolveStartOptions({ ...common, args, version, ...(hosts && { backend: 'binary' }) });
    return { ...settings, ...cluster, versions: Array.from({ length: size }, () => settings.version) };
  }
  if (version.length !== size) {
    throw invalid(`a list of ${version.length} versions`, `give one for each of the ${size} members`);
  }
  return {
    ...resolveStartOptions({ ...common, args, ...(hosts && { backend: 'binary' }) }),
    ...cluster,
    versions: version.map(parseWantedVersion),
  };
}
