import type { EtcdConnectOptions, EtcdCredentials, EtcdServer, EtcdTlsFiles } from './etcd-server.js';
import type { PeerLine } from './peer-line.js';
import type { Proxy as LineProxy } from './proxy.js';

/** One etcd of a cluster. */
export interface ClusterMember extends EtcdServer {
  /** `m1`, `m2`, … A replacement gets a new name. */
  readonly name: string;
  /** As etcd counts its members; etcdctl prints it in hexadecimal. */
  readonly id: bigint;
  /** Past the client proxy, should there be one: to ask a member how it is while its clients do not reach it. */
  readonly directEndpoint: string;
  /**
   * The line between clients and this member; `endpoint` is the address of its proxy.
   *
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE` unless the cluster has the option `proxies: 'client'` or `true`.
   */
  readonly clientLine: LineProxy;
}

/** Which leader to wait for, and how long. */
export interface WaitForLeaderOptions {
  /** Waits until another member leads. */
  readonly not?: ClusterMember | undefined;
  /** How long to wait, in milliseconds. @default 30_000 */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An etcd of several members, to be killed, frozen, moved, filled and replaced. */
export interface Cluster extends AsyncDisposable {
  /** The members now. `replaceMember` puts the new one into the place of the old one. */
  readonly members: readonly ClusterMember[];
  /** Of all members. */
  readonly endpoints: readonly string[];
  /** For `connect(cluster.connectOptions)` of `@coord/client`. */
  readonly connectOptions: EtcdConnectOptions;
  /** The user to log in as; undefined without `auth`. */
  readonly auth: EtcdCredentials | undefined;
  /** Files that a client needs; undefined without `tls`. */
  readonly tls: EtcdTlsFiles | undefined;
  /**
   * The member that leads: it says so, and a majority of the members follow it in the same term. Waits until there is one.
   *
   * @throws {TestkitError} `COORD_TESTKIT_TIMEOUT`, `COORD_TESTKIT_ABORTED`.
   */
  leader(options?: Omit<WaitForLeaderOptions, 'not'>): Promise<ClusterMember>;
  /**
   * Waits until a member leads, or with `not` until another one does.
   *
   * @throws {TestkitError} `COORD_TESTKIT_TIMEOUT`, `COORD_TESTKIT_ABORTED`.
   */
  waitForLeader(options?: WaitForLeaderOptions): Promise<ClusterMember>;
  /**
   * Hands the leadership over, without a gap, and resolves to the member that leads now.
   *
   * @param to the default is any other member that runs
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE` if there is no such member, or it does not run; `COORD_TESTKIT_TIMEOUT`.
   */
  moveLeader(to?: ClusterMember): Promise<ClusterMember>;
  /**
   * Has every member that runs forget what was before a revision, and resolves to that revision.
   *
   * @param revision the default is the current one
   */
  compact(revision?: bigint): Promise<bigint>;
  /** Defragments the members that run, one after the other. */
  defrag(): Promise<void>;
  /** Ends the NOSPACE alarms. They come back with the next write where there still is no room. */
  disarm(): Promise<void>;
  /**
   * Writes the key `coord-testkit/fill` until the database has reached `quotaBytes` and the cluster refuses writes (NOSPACE).
   *
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE` without the option `quotaBytes`.
   */
  fillQuota(): Promise<void>;
  /**
   * The way out of NOSPACE: removes what `fillQuota()` wrote, compacts, defragments the members that run, and disarms.
   *
   * @param revision up to which it compacts; the default is the current one
   */
  freeSpace(revision?: bigint): Promise<void>;
  /**
   * Takes a member out of the cluster for good and adds a new one with a new name, a new endpoint and no data; resolves when
   * that serves. The old one may run or be down; its data is removed.
   *
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE` if `member` is not of this cluster (any more), or if the other members that run
   *   are no majority without it: the cluster would stand still for ever. Nothing has changed then.
   */
  replaceMember(member: ClusterMember): Promise<ClusterMember>;
  /**
   * The line between two members.
   *
   * @throws {TestkitError} `COORD_TESTKIT_INVALID_STATE`, as `partition` and `isolate` do, unless the cluster has the option
   *   `proxies: 'peer'` or `true`; `COORD_TESTKIT_INVALID_ARGUMENT` for twice the same.
   */
  between(a: ClusterMember, b: ClusterMember): PeerLine;
  /** Lets nothing pass between members of different groups (black holes). Lines of members that are in no group stay as they are. */
  partition(...groups: readonly (readonly ClusterMember[])[]): void;
  /** Lets nothing pass between `member` and the others, and with `clients: true` nothing between its clients and itself. */
  isolate(member: ClusterMember, options?: { readonly clients?: boolean | undefined }): void;
  /** Ends every fault of every line: black holes, delays, refusals. What black holes held back is delivered. */
  heal(): Promise<void>;
  /** Runs etcdctl against the leader, as `EtcdServer` does. */
  etcdctl(args: readonly string[]): Promise<string>;
  /** Ends all members and removes their data and certificates. */
  stop(): Promise<void>;
}
