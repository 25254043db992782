import type { NodeSettings } from './options.js';
import { compareVersions } from './version.js';

/** The flags of a single etcd. @internal */
export function etcdArgs(
  settings: NodeSettings,
  place: {
    readonly dataDir: string;
    readonly listenUrl: string;
    readonly advertiseUrl: string;
    readonly peerUrl: string;
    /** Undefined if it is not known. */
    readonly version: string | undefined;
    readonly tlsArgs: readonly string[];
    readonly logLevel: 'info' | 'warn';
  },
): string[] {
  const { durable, authTokenTtlSeconds, args } = settings;
  const knowsNoFsync = place.version !== undefined && compareVersions(place.version, '3.5.0') >= 0;
  return [
    '--name=testkit',
    `--data-dir=${place.dataDir}`,
    `--listen-client-urls=${place.listenUrl}`,
    `--advertise-client-urls=${place.advertiseUrl}`,
    `--listen-peer-urls=${place.peerUrl}`,
    `--initial-advertise-peer-urls=${place.peerUrl}`,
    `--initial-cluster=testkit=${place.peerUrl}`,
    '--logger=zap',
    `--log-level=${place.logLevel}`,
    ...(knowsNoFsync && !durable ? ['--unsafe-no-fsync=true'] : []),
    ...(authTokenTtlSeconds === undefined ? [] : [`--auth-token-ttl=${authTokenTtlSeconds}`]),
    ...place.tlsArgs,
    ...args,
  ];
}
