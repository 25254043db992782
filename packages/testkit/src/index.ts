export type { Cluster, ClusterMember, WaitForLeaderOptions } from './cluster.js';
export type { ClusterHost } from './cluster-host.js';
export type { StartClusterOptions } from './cluster-options.js';
export { type EnsureEtcdOptions, ensureEtcd } from './ensure-etcd.js';
export {
  ChecksumMismatchError,
  EtcdNotFoundError,
  EtcdStartError,
  TestkitError,
  type TestkitErrorCode,
} from './errors.js';
export type {
  EtcdBackend,
  EtcdConnectOptions,
  EtcdCredentials,
  EtcdServer,
  EtcdStatus,
  EtcdTlsFiles,
  RestartOptions,
  StopOptions,
} from './etcd-server.js';
export { type EventuallyOptions, eventually } from './eventually.js';
export type { EtcdBinary } from './find-etcd.js';
export type { StartEtcdOptions } from './options.js';
export type { PeerLine, PeerLineDirection } from './peer-line.js';
export { type Proxy, type ProxyDirection, type StartProxyOptions, startProxy } from './proxy.js';
export { startCluster } from './start-cluster.js';
export { startEtcd } from './start-etcd.js';
