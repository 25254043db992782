import type { ValidationIssue, WaitOptions } from '@coord/client';
import type { ConfigExplanation, ConfigPath } from './explain.js';
import type { ConfigLayer } from './layer.js';

/**
 * `idle` → `starting` → `ready` or `degraded` → `stopping` → `stopped`, and from there again.
 * `degraded`: the configuration is valid, but not what etcd has (out of reach at the start, or refused).
 * `failed`: `required`, and nothing valid was found.
 */
export type ConfigManagerState =
  | 'idle'
  | 'starting'
  | 'ready'
  | 'degraded'
  | 'stopping'
  | 'stopped'
  | 'failed';

/** Where the present configuration comes from. */
export type ConfigSource = 'default' | 'snapshot' | 'remote';

/** The step that refused a value. */
export type RejectionPhase = 'decode' | 'merge' | 'schema' | 'validate' | 'update';

/** A value in the centre that was not taken over. */
export interface ConfigRejection {
  readonly phase: RejectionPhase;
  readonly issues: readonly ValidationIssue[];
  readonly version: number;
  readonly revision: bigint;
  /** True: it will be tried again by itself, since an updater may have met a passing failure. */
  readonly retrying: boolean;
  /** What was thrown. */
  readonly error: unknown;
}

/** A layer of the present configuration. */
export interface AppliedLayer {
  /** `snapshot`: all layers as one, from the snapshot file. */
  readonly layer: ConfigLayer | 'snapshot';
  /** In the centre; for an override its id. */
  readonly key: string;
  readonly version: number;
  readonly revision: bigint;
}

/** What a manager has, from where, and what it last refused. */
export interface ConfigManagerStatus {
  readonly state: ConfigManagerState;
  readonly source: ConfigSource;
  /** Version of the key in the present configuration, and the newest revision in it; 0 for defaults. */
  readonly version: number;
  readonly revision: bigint;
  /** What it was made of, over the defaults, the lowest layer first. */
  readonly layers: readonly AppliedLayer[];
  readonly appliedAt: Date | undefined;
  /** True while changes in etcd would not be noticed: not started, or etcd is away. */
  readonly stale: boolean;
  /** True when the key is known to be absent from the centre. */
  readonly absent: boolean;
  readonly rejected: ConfigRejection | undefined;
  /** The last failure that was only reported: a subscriber, a commit, the snapshot file, the watch. */
  readonly lastError: unknown;
  /** With revisions as decimal strings. */
  toJSON(): Record<string, unknown>;
}

/** What a manager reports, told apart by `type`. */
export type ConfigManagerEvent<T> =
  | { readonly type: 'state'; readonly state: ConfigManagerState }
  | {
      readonly type: 'applied';
      readonly current: Readonly<T>;
      readonly previous: Readonly<T>;
      readonly source: ConfigSource;
      readonly version: number;
      readonly revision: bigint;
    }
  | ({ readonly type: 'rejected' } & ConfigRejection)
  /** What etcd has is in use again, after a rejection. */
  | { readonly type: 'recovered'; readonly version: number; readonly revision: bigint }
  | { readonly type: 'deleted'; readonly version: number; readonly revision: bigint }
  | { readonly type: 'error'; readonly during: ConfigErrorSource; readonly error: unknown };

/** What was going on when something failed that does not stop the manager. */
export type ConfigErrorSource = 'commit' | 'rollback' | 'subscriber' | 'snapshot' | 'watch' | 'announce';

/** The configuration of a running process: always there, always valid, following etcd. */
export interface ConfigManager<T> extends AsyncDisposable {
  /**
   * Takes over what etcd has, and follows it. Without etcd: the snapshot file, else the defaults; the
   * manager goes on connecting and takes over what etcd has as soon as it can. Idempotent.
   * @throws {ValidationError} when the defaults are not valid (not checked with `required`)
   * @throws {CoordError} with `required`, when there is no valid configuration after `startTimeoutMs`
   * @throws {ClosedError} when stopped meanwhile
   */
  start(): Promise<void>;
  /** Waits for a running update; nothing is called afterwards. Idempotent; `start` works again. */
  stop(): Promise<void>;
  /**
   * Asks etcd now, and tries again what was refused.
   * @throws {ValidationError} when the value is refused
   * @throws {ClosedError} when not started
   * @throws {CoordError} when etcd cannot be asked
   */
  reload(): Promise<void>;
  /**
   * Waits until this version of the key, or a newer one, is in use: after a `set`, say.
   * Not from within a validator or updater: the update that they are part of ends after them.
   * @returns the configuration then; for a version that deletes the key, what holds without it
   * @throws {ValidationError} when it is refused, and will not be tried again by itself
   * @throws {ClosedError} when not started, or stopped meanwhile
   * @throws {TimeoutError} after `timeoutMs` (without one it waits for ever)
   * @throws {AbortedError} when `signal` fires
   * @example
   * const { version } = await config.set('prod/orders/http', { timeoutMs: 500 });
   * await manager.waitFor(version, { timeoutMs: 5_000 });
   */
  waitFor(version: number, options?: WaitOptions): Promise<Readonly<T>>;
  /**
   * The configuration: deeply frozen, replaced as a whole. Hold it in a variable to see one state
   * throughout a request.
   */
  readonly current: Readonly<T>;
  /** The same as `current`. */
  getCurrentConfig(): Readonly<T>;
  readonly status: ConfigManagerStatus;
  /** Calls back after each change; returns the function that ends it. */
  subscribe(callback: (current: Readonly<T>, previous: Readonly<T>) => void | Promise<void>): () => void;
  /** Calls back when the selected part has changed, compared by value. */
  subscribe<S>(
    selector: (config: Readonly<T>) => S,
    callback: (current: S, previous: S) => void | Promise<void>,
  ): () => void;
  /**
   * Which layer supplied a value of the present configuration, and what the others say.
   * @param path `'pool.max'`, or `['pool', 'max']` for names with a dot; `''` = all
   * @throws {ValidationError} for a path that is none
   * @example
   * manager.explain('pool.max'); // { value: 99, layer: 'service', layers: [{ layer: 'service', key, version, … }, …] }
   */
  explain(path: ConfigPath): ConfigExplanation;
  /** Everything that happens, from this call on until `stop`. */
  events(): AsyncIterable<ConfigManagerEvent<T>> & AsyncDisposable;
}
