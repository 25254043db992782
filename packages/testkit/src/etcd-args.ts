import type { NodeSettings } from './options.js';
import { compareVersions } from './version.js';

/** Where a member stands in its cluster. @internal */
export interface ClusterPlace {
  readonly name: string;
  /** One, or several with commas between them. */
  readonly peerListenUrl: string;
  /** What the other members dial. */
  readonly peerUrl: string;
  /** `name=peerUrl,…` of all members. */
  readonly initialCluster: string;
  /** Tells this cluster from others, should they ever meet on a port. */
  readonly token: string;
  /** `existing`: it joins members that run. */
  readonly state: 'new' | 'existing';
}

/** The place of an etcd that is alone. @internal */
export function alone(peerUrl: string): ClusterPlace {
  const name = 'testkit';
  const initialCluster = `${name}=${peerUrl}`;
  return { name, peerListenUrl: peerUrl, peerUrl, initialCluster, token: name, state: 'new' };
}

/** The flags of an etcd. @internal */
export function etcdArgs(
  settings: NodeSettings,
  place: {
    readonly dataDir: string;
    readonly listenUrl: string;
    readonly advertiseUrl: string;
    readonly cluster: ClusterPlace;
    /** Undefined if it is not known. */
    readonly version: string | undefined;
    readonly tlsArgs: readonly string[];
    readonly logLevel: 'info' | 'warn';
  },
): string[] {
  const { durable, args } = settings;
  const { cluster } = place;
  const knowsNoFsync = place.version !== undefined && compareVersions(place.version, '3.5.0') >= 0;
  return [
    `--name=${cluster.name}`,
    `--data-dir=${place.dataDir}`,
    `--listen-client-urls=${place.listenUrl}`,
    `--advertise-client-urls=${place.advertiseUrl}`,
    `--listen-peer-urls=${cluster.peerListenUrl}`,
    `--initial-advertise-peer-urls=${cluster.peerUrl}`,
    `--initial-cluster=${cluster.initialCluster}`,
    `--initial-cluster-token=${cluster.token}`,
    `--initial-cluster-state=${cluster.state}`,
    '--logger=zap',
    `--log-level=${place.logLevel}`,
    ...(knowsNoFsync && !durable ? ['--unsafe-no-fsync=true'] : []),
    ...flag('auth-token-ttl', settings.authTokenTtlSeconds),
    ...flag('heartbeat-interval', settings.heartbeatMs),
    ...flag('election-timeout', settings.electionMs),
    ...flag('quota-backend-bytes', settings.quotaBytes),
    ...place.tlsArgs,
    ...args,
  ];
}

function flag(name: string, value: number | undefined): string[] {
  return value === undefined ? [] : [`--${name}=${value}`];
}
