import {
  ClosedError,
  type CoordClient,
  CoordError,
  NotFoundError,
  ValidationError,
  type WaitOptions,
} from '@coord/client';
import {
  assertValid,
  checkWaitOptions,
  type IssueList,
  monotonicNow,
  show,
  Wait,
} from '@coord/client/internal';
import { commit } from './commit.js';
import type {
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
import { type ConfigStore, createConfigStore, readState } from './config-store.js';
import { type ConfigValue, makeConfigValue, readConfigValue } from './config-value.js';
import { type Content, decodeContent, encodeContent, LARGE_VALUE_BYTES } from './content.js';
import { type ConfigVersion, readHistory, readHistoryEntry } from './history.js';
import { type ConfigCenterInternals, INTERNALS } from './internals.js';
import { normalizeKey, normalizePrefix } from './key-layout.js';
import { lastVersion } from './key-state.js';
import { type ConfigKeyPage, decodeCursor, listKeys } from './list.js';
import { type ConfigCenterConfig, resolveConfigCenterConfig } from './options.js';
import { checkPrecondition } from './precondition.js';
import { CachedReader } from './read-cached.js';
import { applySchema, checkSchema } from './schema.js';
import { ConfigWatcher, type WatchScope } from './watch.js';
import { checkAnnotations, decideDelete, decidePut, type PutRequest } from './write-decisions.js';

/**
 * A configuration centre on this client. Close it before the client, or leave that to the client.
 *
 * @throws {ValidationError} naming every bad option
 * @example
 * const config = createConfigCenter(client);
 * const { version } = await config.set('prod/orders/db', { host: 'db1', port: 5432 });
 * await config.compareAndSet('prod/orders/db', { host: 'db2', port: 5432 }, version);
 */
export function createConfigCenter(client: CoordClient, options?: ConfigCenterConfig): ConfigCenter {
  return new EtcdConfigCenter(createConfigStore(client, resolveConfigCenterConfig(options)));
}

class EtcdConfigCenter implements ConfigCenter {
  readonly #store: ConfigStore;
  readonly #cached: CachedReader;
  readonly #watchers = new Set<ConfigWatcher>();
  #closing: Promise<void> | undefined;
  readonly [INTERNALS]: ConfigCenterInternals;

  constructor(store: ConfigStore) {
    this.#store = store;
    this.#cached = new CachedReader(store);
    this[INTERNALS] = { logger: store.logger };
  }

  async get<T>(key: string, options: GetConfigOptions = {}): Promise<ConfigValue<T>> {
    const { schema, consistency = 'linearizable' } = options ?? {};
    const check = (issues: IssueList) => {
      checkSchema(issues, schema);
      if (consistency !== 'linearizable' && consistency !== 'cached') {
        const message = `must be 'linearizable' or 'cached', got ${show(consistency)}`;
        issues.push({ path: 'consistency', message });
      }
    };
    // A local copy that etcd has never filled would be waited for without end.
    const bounded =
      consistency === 'cached'
        ? { ...options, timeoutMs: options.timeoutMs ?? this.#store.requestTimeoutMs }
        : options;
    return this.#run('get', key, bounded, check, async (name, wait) => {
      const state =
        consistency === 'cached'
          ? await this.#cached.read(name, wait)
          : await readState(this.#store, name, wait.signal);
      if (state.raw === undefined) throw new NotFoundError(`config "${name}" does not exist`, { key: name });
      return (await readConfigValue(name, state.raw, state, schema)) as ConfigValue<T>;
    });
  }

  async getValue<T>(key: string, fallback?: T, options?: GetConfigOptions): Promise<T> {
    try {
      return (await this.get<T>(key, options)).value;
    } catch (error) {
      if (error instanceof NotFoundError && fallback !== undefined) return fallback;
      throw error;
    }
  }

  async set<T>(key: string, value: T, options: SetConfigOptions = {}): Promise<ConfigValue<T>> {
    let content: Content | undefined;
    const check = (issues: IssueList) => {
      content = encodeContent(issues, value);
      this.#checkWrite(issues, options);
    };
    return this.#run('set', key, options, check, async (name, wait) => {
      if (content === undefined) throw new TypeError('the value has not been encoded');
      if (options.schema !== undefined) await wait.race(applySchema(options.schema, value));
      return this.#put(name, value, { ...options, content, operation: 'put' }, wait);
    });
  }

  async compareAndSet<T>(
    key: string,
    value: T,
    expectedVersion: number,
    options: WriteConfigOptions = {},
  ): Promise<ConfigValue<T>> {
    // An absent number must not become an unconditional write.
    const version = expectedVersion === undefined ? Number.NaN : expectedVersion;
    return this.set(key, value, isObject(options) ? { ...options, version } : options);
  }

  async delete(key: string, options: DeleteConfigOptions = {}): Promise<boolean> {
    const check = (issues: IssueList) => this.#checkWrite(issues, options);
    return this.#run('delete', key, options, check, async (name, wait) => {
      return (await commit(this.#store, name, decideDelete(name, options), wait.signal)).changed;
    });
  }

  async getVersion(key: string, options?: WaitOptions): Promise<number> {
    return this.#run('getVersion', key, options, noCheck, async (name, wait) => {
      const state = await readState(this.#store, name, wait.signal);
      return state.raw === undefined ? 0 : lastVersion(state);
    });
  }

  async getHistory(key: string, options: HistoryOptions = {}): Promise<ConfigVersion[]> {
    const { limit = this.#store.options.maxVersionHistory } = options ?? {};
    const check = (issues: IssueList) => {
      this.#checkVersioned(issues);
      if (!Number.isSafeInteger(limit) || limit < 1) {
        issues.push({ path: 'limit', message: `must be an integer from 1, got ${show(limit)}` });
      }
    };
    return this.#run('getHistory', key, options, check, (name, wait) =>
      readHistory(this.#store, name, limit, wait.signal),
    );
  }

  async rollback(key: string, version: number, options: RollbackConfigOptions = {}): Promise<ConfigValue> {
    const check = (issues: IssueList) => {
      this.#checkVersioned(issues);
      if (!Number.isSafeInteger(version) || version < 1) {
        issues.push({ path: 'version', message: `must be an integer from 1, got ${show(version)}` });
      }
      this.#checkWrite(issues, options);
    };
    return this.#run('rollback', key, options, check, async (name, wait) => {
      const { content, value } = await this.#pastValue(name, version, wait);
      if (options.schema !== undefined) await wait.race(applySchema(options.schema, value));
      return this.#put(name, value, { ...options, content, operation: 'rollback', from: version }, wait);
    });
  }

  async list(prefix: string, options: ListConfigOptions = {}): Promise<ConfigKeyPage> {
    const { limit = 1000, cursor: given } = options ?? {};
    const issues: IssueList = [];
    const cursor = decodeCursor(issues, given);
    const check = (all: IssueList) => {
      all.push(...issues);
      if (!Number.isSafeInteger(limit) || limit < 1 || limit > 10_000) {
        all.push({ path: 'limit', message: `must be an integer from 1 to 10000, got ${show(limit)}` });
      }
    };
    return this.#run(
      'list',
      prefix,
      options,
      check,
      (name, wait) => listKeys(this.#store, name, limit, cursor, wait.signal),
      normalizePrefix,
    );
  }

  watch<T>(key: string, options: WatchConfigOptions = {}): ConfigWatch<T> {
    const issues: IssueList = [];
    const name = normalizeKey(issues, key);
    const range = this.#store.layout.raw(name);
    return this.#watch(issues, { range, below: '', key: name }, options) as ConfigWatch<T>;
  }

  watchPrefix<T>(prefix: string, options: WatchConfigOptions = {}): ConfigWatch<T> {
    const issues: IssueList = [];
    const below = normalizePrefix(issues, prefix);
    const range = this.#store.layout.rawBelow(below);
    return this.#watch(issues, { range, below, key: undefined }, options) as ConfigWatch<T>;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([this.#cached.close(), ...[...this.#watchers].map((watcher) => watcher.close())]);
  }

  #watch(issues: IssueList, scope: WatchScope, options: WatchConfigOptions): ConfigWatch {
    this.#assertOpen();
    const { schema, initial = false, signal } = options ?? {};
    checkSchema(issues, schema);
    checkWaitOptions(issues, options);
    assertValid(issues);
    const onClose = (watcher: ConfigWatcher) => void this.#watchers.delete(watcher);
    const watcher = new ConfigWatcher(this.#store, scope, { schema, initial, signal, onClose });
    this.#watchers.add(watcher);
    return watcher;
  }

  async #put<T>(key: string, value: T, request: PutRequest, wait: Wait): Promise<ConfigValue<T>> {
    const size = request.content.bytes.length;
    if (size >= LARGE_VALUE_BYTES) this.#store.logger.warn('large config value', { key, size });
    const done = await commit(this.#store, key, decidePut(key, request), wait.signal);
    return makeConfigValue(key, done.revision, { meta: done.meta, external: false }, value);
  }

  /** The bytes and the content type as they were stored then, and what they say. */
  async #pastValue(key: string, version: number, wait: Wait): Promise<{ content: Content; value: unknown }> {
    const entry = await readHistoryEntry(this.#store, key, version, wait.signal);
    if (entry === undefined) {
      throw new NotFoundError(`config "${key}": version ${version} is not in the history`, { key });
    }
    const { contentType, omitted } = entry.meta;
    if (contentType === undefined || omitted) {
      const message = contentType === undefined ? 'is a deletion; use delete()' : 'was too large to be kept';
      throw new ValidationError([{ path: 'version', message: `${version} of config "${key}" ${message}` }]);
    }
    const content: Content = { type: contentType, bytes: entry.bytes };
    return { content, value: decodeContent(content) };
  }

  #checkWrite(issues: IssueList, options: SetConfigOptions): void {
    checkPrecondition(issues, options, this.#store.options.enableVersioning);
    checkAnnotations(issues, options);
    checkSchema(issues, options.schema);
  }

  #checkVersioned(issues: IssueList): void {
    if (this.#store.options.enableVersioning) return;
    issues.push({ path: 'enableVersioning', message: 'is off, so there are no versions' });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError('the config centre is closed; create another one');
  }

  /** What every operation shares: checks before any I/O, the caller's signal and timeout, a line in the log. */
  async #run<T>(
    operation: string,
    key: string,
    options: WaitOptions | undefined,
    check: (issues: IssueList) => void,
    work: (key: string, wait: Wait) => Promise<T>,
    normalize: (issues: IssueList, key: unknown) => string = normalizeKey,
  ): Promise<T> {
    this.#assertOpen();
    const issues: IssueList = [];
    const name = normalize(issues, key);
    if (options === undefined || isObject(options)) check(issues);
    assertValid(checkWaitOptions(issues, options));
    using wait = new Wait(options, `config ${operation} "${name}"`);
    const startedAt = monotonicNow();
    const log = (outcome: string) =>
      this.#store.logger.debug(`config ${operation}`, {
        key: name,
        outcome,
        durationMs: monotonicNow() - startedAt,
      });
    try {
      const result = await work(name, wait);
      log('ok');
      return result;
    } catch (error) {
      const failure = wait.errorFor(error);
      log(CoordError.is(failure) ? failure.code : 'error');
      throw failure;
    }
  }
}

function noCheck(): void {}

/** What is no object of options is refused by `checkWaitOptions`. */
function isObject(options: unknown): boolean {
  return typeof options === 'object' && options !== null;
}
