/** What runs etcd: a process of this machine, or a container. */
export type EtcdBackend = 'binary' | 'testcontainers';

/** Paths of PEM files. The client certificate is signed by the same CA as the server's. */
export interface EtcdTlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A user of etcd. */
export interface EtcdCredentials {
  readonly username: string;
  readonly password: string;
}

/** The part of the client options of `@coord/client` that reaches this server. */
export interface EtcdConnectOptions {
  readonly endpoints: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly tls?: EtcdTlsFiles;
}

/** What is left of a server. */
export interface StopOptions {
  /** Keeps the data, so that `restart()` may follow. It goes when the server is stopped without it, or disposed of. @default false */
  readonly keepData?: boolean | undefined;
}

/** As what a server comes back. */
export interface RestartOptions {
  /**
   * Goes on with another version of etcd, as `'3.5'`: an upgrade. etcd itself refuses the data of a newer minor version.
   * @default the version that it is
   */
  readonly version?: string | undefined;
  /**
   * `serving`: resolves when etcd says that it is healthy, for which it has to know a leader. `listening`: as soon as it talks to
   * the other members.
   * @default 'serving'; 'listening' where the members that run are no majority
   */
  readonly ready?: 'serving' | 'listening' | undefined;
}

/** What one member knows. */
export interface EtcdStatus {
  readonly memberId: bigint;
  /** The leader that it follows, or itself; undefined if it knows none. */
  readonly leaderId: bigint | undefined;
  /** Whether it takes itself for the leader. One that has been cut off does so for up to `electionMs`. */
  readonly isLeader: boolean;
  /** Rises with every election. */
  readonly raftTerm: bigint;
  readonly revision: bigint;
  /** With what a defragmentation would free. */
  readonly dbSizeBytes: number;
  readonly version: string;
}

/**
 * A real etcd with one member. The calls that change its state are queued: each begins when the one before has
 * ended. All of them may be repeated.
 */
export interface EtcdServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, or `https://…` with `tls`. It stays the same across restarts. */
  readonly endpoint: string;
  /** The endpoint as a list. */
  readonly endpoints: readonly string[];
  /** `host:port` of the endpoint, as `startProxy({ target })` takes it. */
  readonly target: string;
  /** For `connect(server.connectOptions)` of `@coord/client`. */
  readonly connectOptions: EtcdConnectOptions;
  /** The exact version, as `3.5.16`. */
  readonly version: string;
  readonly backend: EtcdBackend;
  /** The process id with the binary backend while etcd runs. A restart changes it. */
  readonly pid: number | undefined;
  /** The user to log in as; undefined without `auth`. */
  readonly auth: EtcdCredentials | undefined;
  /** Files that a client needs; undefined without `tls`. */
  readonly tls: EtcdTlsFiles | undefined;
  /** `paused` and `down` are what this object did, or that etcd ended by itself; `stopped` is final. */
  readonly state: 'running' | 'paused' | 'down' | 'stopped';

  /** Ends etcd (SIGTERM, then SIGKILL after `stopTimeoutMs`) and removes its data and certificates. */
  stop(options?: StopOptions): Promise<void>;
  /** Ends etcd at once, as a crash would (SIGKILL). Its data stays for `restart()`. */
  kill(): Promise<void>;
  /** Freezes etcd (SIGSTOP): connections stay open and nothing answers. */
  pause(): Promise<void>;
  /** Ends a pause (SIGCONT). */
  resume(): Promise<void>;
  /**
   * Ends etcd if it runs (as `stop` does), and starts it again on the same ports with its data; ready when it answers.
   *
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE` after `stop()`; `COORD_TESTKIT_UNSUPPORTED` for another version in a container.
   * @throws {EtcdNotFoundError} if there is no etcd of that version.
   * @throws {EtcdStartError} if it does not start. It is `down` then, and `restart()` may be tried again.
   */
  restart(options?: RestartOptions): Promise<void>;
  /**
   * Runs etcdctl against this server, with its certificates and user, and resolves to what it printed.
   *
   * @throws {TestkitError} `COORD_TESTKIT_COMMAND_FAILED` with etcdctl's own message; `COORD_TESTKIT_ETCD_NOT_FOUND` without etcdctl.
   */
  etcdctl(args: readonly string[]): Promise<string>;
  /** The last 64 KiB of what etcd logged. */
  log(): Promise<string>;
  /**
   * Asks etcd how it is. It answers without a leader too.
   *
   * @throws {TestkitError} `COORD_TESTKIT_COMMAND_FAILED` if it does not answer, as this and the calls below do.
   */
  status(options?: {
    readonly timeoutMs?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<EtcdStatus>;
  /**
   * Has etcd forget what was before a revision, and resolves to that revision when it is forgotten. A watch that wants more is told so.
   *
   * @param revision the default is the current one
   */
  compact(revision?: bigint): Promise<bigint>;
  /** Returns free room of the database to the disk. etcd does nothing else meanwhile. */
  defrag(): Promise<void>;
  /** Ends the NOSPACE alarm. It comes back with the next write if there still is no room. */
  disarm(): Promise<void>;
  /**
   * Writes the key `coord-testkit/fill` until the database has reached `quotaBytes` and etcd refuses writes: the NOSPACE alarm.
   *
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE` without the option `quotaBytes`.
   */
  fillQuota(): Promise<void>;
  /** The way out of NOSPACE: removes what `fillQuota()` wrote, compacts, defragments and disarms. */
  freeSpace(): Promise<void>;
}
