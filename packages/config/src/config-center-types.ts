import type { WaitOptions } from '@coord/client';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigWatch } from './config-change.js';
import type { ConfigValue } from './config-value.js';
import type { ConfigFormat } from './content.js';
import type { ConfigDiff } from './diff-types.js';
import type { ConfigVersion } from './history.js';
import type { JsonSchema } from './json-schema.js';
import type { ConfigKeyPage } from './list.js';
import type { Precondition } from './precondition.js';
import type {
  ConfigRelease,
  ListReleasesOptions,
  PublishChange,
  PublishOptions,
  RevertOptions,
} from './release-types.js';

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
  /**
   * Store the value encrypted (AES-256-GCM, with the centre's `encryption`), in the history too. Absent = as the
   * present value: what is encrypted stays so, until `false` says otherwise or the key is deleted.
   */
  readonly encrypt?: boolean | undefined;
  /** Write a new version even if value and metadata are what is there already. @default false */
  readonly force?: boolean | undefined;
}

export interface SetConfigOptions extends WriteConfigOptions, Precondition {
  /**
   * `yaml`: a text is a YAML document (1.2, core schema), stored with its comments and read as what it says;
   * any other value is written as YAML. `json`: text and bytes as they are, everything else as JSON.
   * @default 'json'
   */
  readonly format?: ConfigFormat | undefined;
}

export interface DeleteConfigOptions
  extends WaitOptions,
    Precondition,
    Pick<Annotations, 'author' | 'comment'> {}

export interface RollbackConfigOptions extends WriteConfigOptions, Precondition {}

export interface AdoptConfigOptions extends WaitOptions, Annotations, Pick<Precondition, 'revision'> {}

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

/** How a watch of configuration begins and what it checks. */
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
  /** The same without a schema: the type is what you say it is. */
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
  /** The same without a schema: the type is what you say it is. */
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

  /**
   * What is different between two versions: member by member in JSON, line by line in text. Version 0 and a
   * deletion are an absent key.
   * @param to absent = what is there now, also by others
   * @throws {NotFoundError} when the history no longer has one of the versions
   * @throws {ValidationError} for a bad key or version, and when a value cannot be read
   */
  diff(key: string, from: number, to?: number, options?: WaitOptions): Promise<ConfigDiff>;

  /**
   * Takes a value that others wrote (etcdctl, Go) under versions: it becomes the next version as it is.
   * A value that has a version already is returned as it is.
   * @throws {NotFoundError} when the key is absent
   * @throws {VersionConflictError} when the key is not at the required revision
   * @throws {ValidationError} when the value cannot be read, or is above 512 KiB
   */
  adopt<T = unknown>(key: string, options?: AdoptConfigOptions): Promise<ConfigValue<T>>;

  /**
   * Changes up to 31 keys in one step: all of them or none. What comes of it is a release, which `revert` takes
   * back. A watch tells its changes in a row, with its `releaseId`. Keys that have the wanted value already are
   * not written, but must stay as they are until the step is done.
   * @returns the release; undefined when every key has the wanted value already
   * @throws {VersionConflictError} when a key is not at its required version or revision
   * @throws {ValidationError} for bad keys or values, a key that is there twice, a failed schema, and when all
   *   values together are above 736 KiB, with their keys and records
   * @example
   * ```ts
   * import { connect } from '@coord/client';
   * import { createConfigCenter } from '@coord/config';
   *
   * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
   * const config = createConfigCenter(client);
   * const release = await config.publish([
   *   { key: 'prod/orders/db', value: { host: 'db2' } },
   *   { key: 'prod/orders/cache', value: { host: 'cache2' }, version: 0 }, // must be new
   * ]);
   * if (release) await config.revert(release.id);
   * await config.close();
   * await client.close();
   * ```
   */
  publish(changes: readonly PublishChange[], options?: PublishOptions): Promise<ConfigRelease | undefined>;

  /**
   * Brings every key of a release back to where the release found it, in one step: a release of its own.
   * @returns the new release; undefined when every key is back already
   * @throws {NotFoundError} when the release is not known (1,000 are kept), or a version not in the history
   * @throws {VersionConflictError} when a key has been changed since, unless `force`
   * @throws {ValidationError} when a value does not fit the schema of today
   */
  revert(releaseId: string, options?: RevertOptions): Promise<ConfigRelease | undefined>;

  /** @throws {NotFoundError} when the release is not known (1,000 are kept) */
  getRelease(releaseId: string, options?: WaitOptions): Promise<ConfigRelease>;

  /** The latest releases, newest first. */
  listReleases(options?: ListReleasesOptions): Promise<ConfigRelease[]>;

  /**
   * Stores a JSON Schema beside the key. From then on every write through Coord must fit it: by `set`, `rollback`,
   * `publish`, `revert` and `adopt`, of every program whose centre has `enableValidation` on. What is there
   * already, and what etcdctl or Go write, is not touched.
   * @param schema a JSON Schema (draft 2020-12, or 7), or a Standard Schema that can describe its input, as zod's can.
   *   It is checked without formats. Whoever may write it can slow writers down with its patterns.
   * @throws {ValidationError} for a bad key, and for what is no JSON Schema, or above 64 KiB
   */
  setSchema(key: string, schema: JsonSchema | StandardSchemaV1, options?: WaitOptions): Promise<void>;

  /** The JSON Schema beside the key; undefined when there is none. */
  getSchema(key: string, options?: WaitOptions): Promise<JsonSchema | undefined>;

  /** @returns whether there was one */
  deleteSchema(key: string, options?: WaitOptions): Promise<boolean>;

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
  /** The same without a schema: the type is what you say it is. */
  watch<T = unknown>(key: string, options?: WatchConfigOptions): ConfigWatch<T>;

  /**
   * Follows everything below a prefix: `app` matches `app/db`, not `app` itself and not `app2/db`; `''` = all.
   * @throws {ValidationError} for a bad prefix or option
   */
  watchPrefix<S extends StandardSchemaV1>(
    prefix: string,
    options: WatchConfigOptions<S> & { readonly schema: S },
  ): ConfigWatch<Output<S>>;
  /** The same without a schema: the type is what you say it is. */
  watchPrefix<T = unknown>(prefix: string, options?: WatchConfigOptions): ConfigWatch<T>;

  /** Ends the watches and local copies of this centre; the client stays open. Idempotent. */
  close(): Promise<void>;
}
