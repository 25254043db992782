import type { ValidationIssue } from '@coord/client';
import type { ConfigCenter } from '@coord/config';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigLayer } from './layer.js';
import type { LayerKeys } from './layered-source.js';

/** What a step of an update is given beside the values. */
export interface UpdateContext {
  /** Aborts when the step has taken too long, and when the manager is being stopped. */
  readonly signal: AbortSignal;
}

/** Checks what a schema cannot. Nothing returned = good; a message, issues, or a throw = refused. */
export type ConfigValidator<T> = (
  next: Readonly<T>,
  context: UpdateContext,
) => ValidatorResult | Promise<ValidatorResult>;

/** What a validator says: nothing if it is content, else a message or issues. */
// biome-ignore lint/suspicious/noConfusingVoidType: a validator that finds nothing returns nothing
export type ValidatorResult = void | undefined | string | readonly ValidationIssue[];

/** Called before the swap. A throw keeps the present configuration, so do only what can be left as it is. */
export type UpdateFunction<T> = (
  next: Readonly<T>,
  previous: Readonly<T>,
  context: UpdateContext,
) => void | Promise<void>;

/**
 * Two phases: build the new before the swap, put it to use after it.
 */
export interface TwoPhaseUpdater<T> {
  /** Before the swap: build what `next` needs. A throw keeps the present configuration. */
  readonly prepare?: UpdateFunction<T> | undefined;
  /** After the swap: use the new, discard the old. A throw is reported; the new configuration stays. */
  readonly commit?: UpdateFunction<T> | undefined;
  /** A later updater refused: discard what `prepare` built for `next`. Not called for a failed `prepare`. */
  readonly rollback?: UpdateFunction<T> | undefined;
}

/** Brings a service to a new configuration: a function, or prepare, commit and rollback. */
export type ConfigUpdater<T> = UpdateFunction<T> | TwoPhaseUpdater<T>;

/** What a manager follows, how it checks it and whom it tells. */
export interface ConfigManagerOptions<T> {
  readonly config: ConfigCenter;
  /** The key in the centre is `<env>/<service>/<component>`; parts without "/". */
  readonly env: string;
  readonly service: string;
  readonly component: string;
  /**
   * What to follow beside the key itself (`service`). Each is laid over those before it, whatever the order here:
   * `shared`, what holds for every service of the environment, at `<env>/_shared/<component>`; `service`;
   * `canary`, see `startCanary`, in the place of the key's own; `instance`, at `<env>/<service>/<component>/_instances/<instance>`; `override`, see `overrideConfig`.
   * @default ['service']
   */
  readonly layers?: readonly ConfigLayer[] | undefined;
  /** A name of this process among those of its service, unlike theirs; needed for the layer `instance` and to announce. */
  readonly instance?: string | undefined;
  /**
   * Tell in etcd which version this instance has in use or has refused, for `appliedConfig`: a key on a lease,
   * below `/coord/config/ack/`. @default false
   */
  readonly announce?: boolean | undefined;
  /** What this process is, for a canary by labels: `{ region: 'eu' }`. @default {} */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What holds where the centre says nothing. The value in the centre may be partial and is laid over it. */
  readonly defaults: T;
  /** Checks the merged configuration and makes the final one of it. Any Standard Schema. */
  readonly schema?: StandardSchemaV1<unknown, T> | undefined;
  readonly validate?: ConfigValidator<T> | readonly ConfigValidator<T>[] | undefined;
  /** Called in order, before subscribers. */
  readonly onUpdate?: ConfigUpdater<T> | readonly ConfigUpdater<T>[] | undefined;
  /** When the key is deleted: go on with the present configuration, or go back to the defaults. @default 'keep' */
  readonly onDelete?: 'keep' | 'default' | undefined;
  /** How long `start` waits for etcd before it goes on with the snapshot or the defaults. @default 5_000 */
  readonly startTimeoutMs?: number | undefined;
  /** How long a single validator or updater may take. @default 30_000 */
  readonly updateTimeoutMs?: number | undefined;
  /** When to try a failed updater again, after each failure. Unless its error has `retryable: false`. @default [1_000, 5_000, 30_000] */
  readonly retryDelaysMs?: readonly number[] | undefined;
  /** True: `start` rejects when neither etcd nor the snapshot has a valid configuration. @default false */
  readonly required?: boolean | undefined;
  /**
   * True: the key is `config/<env>/<service>/<component>`. The manager of the Go original adds its prefix
   * twice, so that its values are at `/config/config/…` in etcd. @default false
   */
  readonly goManagerCompat?: boolean | undefined;
  /**
   * A file that keeps the last good value, for starts without etcd. Mode 0600, and encrypted where the centre has
   * `encryption`; its folder must exist.
   */
  readonly snapshotFile?: string | undefined;
}

export interface ResolvedConfigManagerOptions<T> {
  readonly config: ConfigCenter;
  readonly key: string;
  readonly layers: LayerKeys;
  readonly instance: string | undefined;
  readonly announce: boolean;
  readonly defaults: T;
  readonly schema: StandardSchemaV1<unknown, T> | undefined;
  readonly validators: readonly ConfigValidator<T>[];
  readonly updaters: readonly TwoPhaseUpdater<T>[];
  readonly onDelete: 'keep' | 'default';
  readonly startTimeoutMs: number;
  readonly updateTimeoutMs: number;
  readonly retryDelaysMs: readonly number[];
  readonly required: boolean;
  readonly snapshotFile: string | undefined;
}
