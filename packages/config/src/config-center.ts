import { type CoordClient, NotFoundError, type WaitOptions } from '@coord/client';
import { assertValid, checkFlag, checkWaitFields, type IssueList, readOptions } from '@coord/client/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type {
  AdoptConfigOptions,
  ConfigCenter,
  DeleteConfigOptions,
  GetConfigOptions,
  HistoryOptions,
  ListConfigOptions,
  RollbackConfigOptions,
  SetConfigOptions,
  WatchConfigOptions,
  WriteConfigOptions,
} from './config-center-types.js';
import type { ConfigWatch } from './config-change.js';
import { type ConfigStore, createConfigStore } from './config-store.js';
import type { ConfigValue } from './config-value.js';
import type { ConfigDiff } from './diff-types.js';
import type { WatchScope } from './following.js';
import { Followings } from './followings.js';
import type { ConfigVersion } from './history.js';
import { type ConfigCenterInternals, INTERNALS, makeInternals } from './internals.js';
import type { JsonSchema } from './json-schema.js';
import { normalizeKey, normalizePrefix } from './key-layout.js';
import type { ConfigKeyPage } from './list.js';
import { Operations } from './operations.js';
import { NAMES } from './option-names.js';
import { type ConfigCenterConfig, resolveConfigCenterConfig } from './options.js';
import { Reads } from './reads.js';
import type {
  ConfigRelease,
  ListReleasesOptions,
  PublishChange,
  PublishOptions,
  RevertOptions,
} from './release-types.js';
import { Releases } from './releases.js';
import { checkSchema } from './schema.js';
import { Schemas } from './schemas.js';
import { ConfigWatcher } from './watch.js';
import { Writes } from './writes.js';

/**
 * A configuration centre on this client. Close it before the client, or leave that to the client.
 *
 * @throws {ValidationError} naming every bad option
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { createConfigCenter } from '@coord/config';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const config = createConfigCenter(client);
 * const { version } = await config.set('prod/orders/db', { host: 'db1', port: 5432 });
 * await config.compareAndSet('prod/orders/db', { host: 'db2', port: 5432 }, version);
 * await config.close();
 * await client.close();
 * ```
 */
export function createConfigCenter(client: CoordClient, options?: ConfigCenterConfig): ConfigCenter {
  return new EtcdConfigCenter(createConfigStore(client, resolveConfigCenterConfig(options)));
}

/** From the call until it is in place. */
const WATCH = { name: 'coord.config.watch' } as const;

class EtcdConfigCenter implements ConfigCenter {
  readonly #store: ConfigStore;
  readonly #operations: Operations;
  readonly #reads: Reads;
  readonly #writes: Writes;
  readonly #releases: Releases;
  readonly #schemas: Schemas;
  readonly #followings: Followings;
  readonly #watchers = new Set<ConfigWatcher>();
  #closing: Promise<void> | undefined;
  readonly [INTERNALS]: ConfigCenterInternals;

  constructor(store: ConfigStore) {
    this.#store = store;
    this.#operations = new Operations(store);
    this.#reads = new Reads(store, this.#operations);
    this.#writes = new Writes(store, this.#operations);
    this.#releases = new Releases(store, this.#operations);
    this.#schemas = new Schemas(store, this.#operations);
    this.#followings = new Followings(store);
    this[INTERNALS] = makeInternals(store, (key) => this.#watchKey(key, { initial: true }, true));
  }

  get<T>(key: string, options?: GetConfigOptions): Promise<ConfigValue<T>> {
    return this.#reads.get(key, options);
  }

  async getValue<T>(key: string, fallback?: T, options?: GetConfigOptions): Promise<T> {
    try {
      return (await this.get<T>(key, options)).value;
    } catch (error) {
      if (error instanceof NotFoundError && fallback !== undefined) return fallback;
      throw error;
    }
  }

  set<T>(key: string, value: T, options?: SetConfigOptions): Promise<ConfigValue<T>> {
    return this.#writes.set(key, value, options);
  }

  async compareAndSet<T>(
    key: string,
    value: T,
    expectedVersion: number,
    options?: WriteConfigOptions,
  ): Promise<ConfigValue<T>> {
    return this.#writes.compareAndSet(key, value, expectedVersion, options);
  }

  delete(key: string, options?: DeleteConfigOptions): Promise<boolean> {
    return this.#writes.delete(key, options);
  }

  getVersion(key: string, options?: WaitOptions): Promise<number> {
    return this.#reads.getVersion(key, options);
  }

  getHistory(key: string, options?: HistoryOptions): Promise<ConfigVersion[]> {
    return this.#reads.getHistory(key, options);
  }

  rollback(key: string, version: number, options?: RollbackConfigOptions): Promise<ConfigValue> {
    return this.#writes.rollback(key, version, options);
  }

  diff(key: string, from: number, to?: number, options?: WaitOptions): Promise<ConfigDiff> {
    return this.#reads.diff(key, from, to, options);
  }

  adopt<T>(key: string, options?: AdoptConfigOptions): Promise<ConfigValue<T>> {
    return this.#writes.adopt(key, options);
  }

  publish(changes: readonly PublishChange[], options?: PublishOptions): Promise<ConfigRelease | undefined> {
    return this.#releases.publish(changes, options);
  }

  revert(releaseId: string, options?: RevertOptions): Promise<ConfigRelease | undefined> {
    return this.#releases.revert(releaseId, options);
  }

  getRelease(releaseId: string, options?: WaitOptions): Promise<ConfigRelease> {
    return this.#releases.get(releaseId, options);
  }

  listReleases(options?: ListReleasesOptions): Promise<ConfigRelease[]> {
    return this.#releases.list(options);
  }

  setSchema(key: string, schema: JsonSchema | StandardSchemaV1, options?: WaitOptions): Promise<void> {
    return this.#schemas.set(key, schema, options);
  }

  getSchema(key: string, options?: WaitOptions): Promise<JsonSchema | undefined> {
    return this.#schemas.get(key, options);
  }

  deleteSchema(key: string, options?: WaitOptions): Promise<boolean> {
    return this.#schemas.delete(key, options);
  }

  list(prefix: string, options?: ListConfigOptions): Promise<ConfigKeyPage> {
    return this.#reads.list(prefix, options);
  }

  watch<T>(key: string, options?: WatchConfigOptions): ConfigWatch<T> {
    return this.#watchKey(key, options, false) as ConfigWatch<T>;
  }

  watchPrefix<T>(prefix: string, options?: WatchConfigOptions): ConfigWatch<T> {
    const issues: IssueList = [];
    const below = normalizePrefix(issues, prefix);
    const range = this.#store.layout.rawBelow(below);
    return this.#watch(issues, { range, below, key: undefined }, options, false) as ConfigWatch<T>;
  }

  close(): Promise<void> {
    this.#operations.close();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([this.#reads.close(), ...[...this.#watchers].map((watcher) => watcher.close())]);
  }

  #watchKey(key: string, options: WatchConfigOptions | undefined, shared: boolean): ConfigWatch {
    const issues: IssueList = [];
    const name = normalizeKey(issues, key);
    const range = this.#store.layout.raw(name);
    return this.#watch(issues, { range, below: '', key: name }, options, shared);
  }

  #watch(
    issues: IssueList,
    scope: WatchScope,
    options: WatchConfigOptions | undefined,
    shared: boolean,
  ): ConfigWatch {
    this.#operations.assertOpen();
    const { schema, initial = false, signal } = readOptions(issues, options, NAMES.watch);
    checkSchema(issues, schema);
    checkFlag(issues, 'initial', initial);
    checkWaitFields(issues, { signal });
    assertValid(issues);
    const onClose = (watcher: ConfigWatcher) => void this.#watchers.delete(watcher);
    const consumer = { schema, initial, shared, signal, onClose };
    const watcher = new ConfigWatcher(this.#store, this.#followings, scope, consumer);
    this.#watchers.add(watcher);
    const { observer } = this.#store;
    if (observer.active) {
      const subject = scope.key === undefined ? { prefix: scope.below } : { key: scope.key };
      observer.observe(WATCH, subject, () => watcher.ready).catch(() => undefined); // whoever reads it is told
    }
    return watcher;
  }
}
