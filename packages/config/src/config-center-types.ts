import type { WaitOptions } from '@coord/client';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigWatch } from './config-change.js';
import type { ConfigValue } from './config-value.js';
import type { ConfigVersion } from './history.js';
import type { ConfigKeyPage } from './list.js';
import type { Precondition } from './precondition.js';

export interface GetConfigOptions<S extends StandardSchemaV1 = StandardSchemaV1> extends WaitOptions {
  /** Checks what was read, and gives the value its type. */
  readonly schema?: S | undefined;
  /**
   * `linearizable`: what etcd has now, one call. `cached`: a local copy that follows etcd, in
   * microseconds; it sees this client's own writes, and serves the last known value while etcd is away.
   * @default 'linearizable'
   */
  readonly consistency?: 'linearizable' | 'cached' | undefined;
}

/** What is recorded with a version. */
export interface Annotations {
  /** Who made it. */
  readonly author?: string | undefined;
  /** Why. */
  readonly comment?: string | undefined;
  /** Kept with the value and returned with it. Absent = kept as it is. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface WriteConfigOptions extends WaitOptions, Annotations {
  /** Checks the value before it is written. What is stored is the value as given, not the schema's output. */
  readonly schema?: StandardSchemaV1 | undefined;
  /** Write a new version even if value and metadata are what is there already. @default false */
  readonly force?: boolean | undefined;
}

export interface SetConfigOptions extends WriteConfigOptions, Precondition {}

export interface DeleteConfigOptions
  extends WaitOptions,
    Precondition,
    Pick<Annotations, 'author' | 'comment'> {}

export interface RollbackConfigOptions extends WriteConfigOptions, Precondition {}

export interface HistoryOptions extends WaitOptions {
  /** At most so many versions. @default all that are kept */
  readonly limit?: number | undefined;
}

export interface ListConfigOptions extends WaitOptions {
  /** Keys a page, at most 10,000. @default 1000 */
  readonly limit?: number | undefined;
  /** From the page before. */
  readonly cursor?: string | undefined;
}

export interface WatchConfigOptions<S extends StandardSchemaV1 = StandardSchemaV1> {
  /** Checks each value, and gives it its type. A value that does not fit comes as an event with `error`. */
  readonly schema?: S | undefined;
  /**
   * Deliver first what is there now, each key as a `create`; a single key that is absent as a `delete`.
   * @default false
   */
  readonly initial?: boolean | undefined;
  /** Ends the loop with an `AbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

type Output<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>;

/**
 * Versioned configuration in etcd.
 *
 * Keys are paths such as `prod/orders/db`; a leading slash is ignored. Strings and bytes are stored as
 * they are, everything else as JSON, so that etcdctl and programs in other languages read the same values.
 */
export interface ConfigCenter extends AsyncDisposable {
  /**
   * The value and its version, of one moment.
   * @throws {NotFoundError} when the key is absent
   * @throws {ValidationError} for a bad key, and when the value cannot be read or does not fit the schema
   */
  get<S extends StandardSchemaV1>(
    key: string,
    options: GetConfigOptions<S> & { readonly schema: S },
  ): Promise<ConfigValue<Output<S>>>;
  get<T = unknown>(key: string, options?: GetConfigOptions): Promise<ConfigValue<T>>;

  /**
   * Only the value; `fallback` when the key is absent. A value that is there and unusable still throws.
   * @throws {NotFoundError} when the key is absent and there is no fallback
   * @throws {ValidationError} as `get`
   */
  getValue<S extends StandardSchemaV1>(
    key: string,
    fallback: Output<S> | undefined,
    options: GetConfigOptions<S> & { readonly schema: S },
  ): Promise<Output<S>>;
  getValue<T = unknown>(key: string, fallback?: T, options?: GetConfigOptions): Promise<T>;

  /**
   * Writes a new version and returns it. With `version` or `revision` it is a compare-and-set;
   * without, it waits its turn among other writers. A value equal to what is there is not written again.
   * @throws {VersionConflictError} when the key is not at the required version or revision
   * @throws {ValidationError} for a bad key, a value that JSON cannot hold, more than 512 KiB, a failed schema
   */
  set<T>(key: string, value: T, options?: SetConfigOptions): Promise<ConfigValue<T>>;

  /**
   * `set` with a required version; 0 = the key must be absent.
   * @throws {VersionConflictError} @throws {ValidationError} as `set`
   */
  compareAndSet<T>(
    key: string,
    value: T,
    expectedVersion: number,
    options?: WriteConfigOptions,
  ): Promise<ConfigValue<T>>;

  /**
   * Deletes the key. The deletion takes a version of its own, and numbering goes on after it.
   * @returns whether there was a value to delete
   * @throws {VersionConflictError} when the key is not at the required version or revision
   */
  delete(key: string, options?: DeleteConfigOptions): Promise<boolean>;

  /** The version of the present value; 0 when the key is absent. For a value by others: the last managed one. */
  getVersion(key: string, options?: WaitOptions): Promise<number>;

  /** The versions that are kept, newest first, deletions included; empty for a key never written here. */
  getHistory(key: string, options?: HistoryOptions): Promise<ConfigVersion[]>;

  /**
   * Writes the value of an earlier version as a new version.
   * @throws {NotFoundError} when the history no longer has that version
   * @throws {ValidationError} when that version is a deletion, or does not fit the schema of today
   * @throws {VersionConflictError} when the key is not at the required version or revision
   */
  rollback(key: string, version: number, options?: RollbackConfigOptions): Promise<ConfigValue>;

  /** The keys below a prefix, page by page, all at one revision; `''` = all keys. `app` does not match `app2/x`. */
  list(prefix: string, options?: ListConfigOptions): Promise<ConfigKeyPage>;

  /**
   * Follows one key.
   * @throws {ValidationError} for a bad key or option
   */
  watch<S extends StandardSchemaV1>(
    key: string,
    options: WatchConfigOptions<S> & { readonly schema: S },
  ): ConfigWatch<Output<S>>;
  watch<T = unknown>(key: string, options?: WatchConfigOptions): ConfigWatch<T>;

  /**
   * Follows everything below a prefix: `app` matches `app/db`, not `app` itself and not `app2/db`; `''` = all.
   * @throws {ValidationError} for a bad prefix or option
   */
  watchPrefix<S extends StandardSchemaV1>(
    prefix: string,
    options: WatchConfigOptions<S> & { readonly schema: S },
  ): ConfigWatch<Output<S>>;
  watchPrefix<T = unknown>(prefix: string, options?: WatchConfigOptions): ConfigWatch<T>;

  /** Ends the watches and local copies of this centre; the client stays open. Idempotent. */
  close(): Promise<void>;
}
