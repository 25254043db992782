import type { ResolvedHost } from './cluster-host.js';
import type { ClusterPlace } from './etcd-args.js';
import type { EtcdBackend } from './etcd-server.js';

/** How to start a node. @internal */
export interface NodeStart {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** `serving`: etcd says that it is healthy, so it knows a leader. `listening`: it takes part, whether there is a leader or not. @default 'serving' */
  readonly ready?: 'serving' | 'listening' | undefined;
}

/** What a member of a cluster is told, because others have to know it too. @internal */
export interface MemberPlace {
  readonly clientPort: number;
  readonly peerPort: number;
  readonly cluster: ClusterPlace;
  /** Where clients are told to find the member, if not at `endpoint`. */
  readonly advertiseUrl?: string | undefined;
  readonly host: ResolvedHost;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** What a backend has to offer; `ServerHandle` makes an `EtcdServer` of it. @internal */
export interface EtcdNode {
  readonly backend: EtcdBackend;
  readonly version: string;
  /** Known after the first start. */
  readonly endpoint: string;
  readonly pid: number | undefined;
  /** Whether etcd runs; false too after it ended by itself. */
  readonly running: boolean;
  /** Resolves when etcd is ready. After a rejection it does not run. */
  start(options: NodeStart): Promise<void>;
  /** Has the next start run another version. */
  use(version: string, onProgress: (line: string) => void): Promise<void>;
  /** Asks etcd to end, and makes it end after the timeout. */
  terminate(timeoutMs: number): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Kills etcd if it runs, and removes everything it left. */
  remove(): Promise<void>;
  /** `args` already hold the user; the node adds endpoint and certificates. */
  etcdctl(args: readonly string[]): Promise<string>;
  log(): Promise<string>;
}
