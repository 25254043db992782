import type { EtcdBackend } from './etcd-server.js';

/** What a backend has to offer; `ServerHandle` makes an `EtcdServer` of it. @internal */
export interface EtcdNode {
  readonly backend: EtcdBackend;
  readonly version: string;
  /** Known after the first start. */
  readonly endpoint: string;
  readonly pid: number | undefined;
  /** Whether etcd runs; false too after it ended by itself. */
  readonly running: boolean;
  /** Resolves when etcd answers that it is healthy. After a rejection it does not run. */
  start(options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined }): Promise<void>;
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
