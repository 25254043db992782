import type { WaitOptions } from '@coord/client';
import type { DrainOptions } from './drain-options.js';
import type { HealthStatus, ServiceInfo } from './service-info.js';

/**
 * - `registered`: the instance is in etcd, on a live lease.
 * - `recovering`: its lease was lost; it is being registered again.
 * - `leaving`: it is being deregistered.
 * - `deregistered`: it is gone, by this handle, by an operator, or because the client was closed.
 * - `superseded`: somebody else has registered the same id since.
 */
export type RegistrationState = 'registered' | 'recovering' | 'leaving' | 'deregistered' | 'superseded';

/** A registered instance: it stays registered, over any outage, until told otherwise. */
export interface Registration extends AsyncDisposable {
  /** As registered, with the present health. */
  readonly service: ServiceInfo;
  readonly state: RegistrationState;
  /** Calls back at each change of state; returns the function that ends it. */
  subscribe(callback: (state: RegistrationState) => void): () => void;
  /**
   * Sets the health that discovery sees; waits out a recovery.
   * @throws {NotFoundError} when it is deregistered
   * @throws {ConflictError} when it is superseded
   */
  updateHealth(status: HealthStatus, options?: WaitOptions): Promise<void>;
  /**
   * Takes the instance out without a failed call: says that it is leaving, in `maintenance`, waits `waitMs` until
   * everybody has heard of it, then deletes it. Serve on until this has resolved; then let the calls under way finish.
   *
   * Whoever watches drops the instance at the goodbye, not at the delete; the wait is for those that are slow to
   * hear of it. Idempotent; a deregistration under way is waited for, `deregister()` cuts the wait short, and the
   * registry's `close()` does so when its own time is up. Without `timeoutMs` it gives etcd `waitMs` and the client's `requestTimeoutMs`; then, or when
   * `signal` fires, this rejects, and the drain goes on in the background.
   * @throws {TimeoutError | AbortedError} when it was not done in time; the instance leaves all the same
   * @example
   * await registration.drain();
   * server.tryShutdown(() => process.exit());
   */
  drain(options?: DrainOptions): Promise<void>;
  /**
   * Takes the instance out of discovery, then deletes it. Idempotent. It never comes back: when etcd does
   * not answer in time this rejects, and the removal goes on in the background.
   * @throws {TimeoutError | ConnectionError} when etcd did not confirm it in time
   */
  deregister(options?: WaitOptions): Promise<void>;
}
