import type { CoordClient, PingResult, WaitOptions } from '@coord/client';
import type { ConfigCenter } from '@coord/config';
import type { ConnectionOptions, ServiceConnection } from '@coord/grpc-resolver';
import type { DistributedLock } from '@coord/lock';
import type { ServiceRegistry } from '@coord/registry';

/** Locks, registry and configuration over one connection to etcd. */
export interface Coordinator extends AsyncDisposable {
  readonly lock: DistributedLock;
  readonly registry: ServiceRegistry;
  readonly config: ConfigCenter;
  /** What the three are built on: keys and values, watches, sessions. */
  readonly client: CoordClient;
  /**
   * A gRPC connection that follows the instances of a service. It is closed with the coordinator, if it was
   * not before.
   * @throws {ValidationError} naming everything that is wrong
   * @throws {ClosedError} when the coordinator is closed
   */
  getConnection(serviceName: string, options?: ConnectionOptions): Promise<ServiceConnection>;
  /** Asks etcd whether it is there. @throws {ConnectionError} naming every endpoint tried */
  ping(options?: WaitOptions): Promise<PingResult>;
  /**
   * Deregisters the instances, closes the gRPC connections, releases the locks, ends the watches, revokes the leases,
   * and disconnects.
   *
   * Takes at most about `timeoutMs` (the client's `requestTimeoutMs`), also when etcd is away: what etcd has not confirmed
   * by then ends with its lease. `signal` cuts it short: it disconnects at once. Idempotent; while it is under way,
   * another call waits for it, and cuts it short by a `timeoutMs` or `signal` of its own.
   * @throws {AbortedError} when the signal had fired before; then nothing was closed
   * @throws {ValidationError} for bad options; then nothing was closed
   */
  close(options?: WaitOptions): Promise<void>;
}
