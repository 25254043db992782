import { NotFoundError, type WaitOptions } from '@coord/client';
import { type IssueList, show } from '@coord/client/internal';
import type { GetConfigOptions, HistoryOptions, ListConfigOptions } from './config-center-types.js';
import { type ConfigStore, readState } from './config-store.js';
import { type ConfigValue, readConfigValue } from './config-value.js';
import { diffVersions } from './diff.js';
import type { ConfigDiff } from './diff-types.js';
import { type ConfigVersion, readHistory } from './history.js';
import { normalizePrefix } from './key-layout.js';
import { lastVersion } from './key-state.js';
import { type ConfigKeyPage, decodeCursor, type ListCursor, listKeys } from './list.js';
import type { Operations } from './operations.js';
import { NAMES } from './option-names.js';
import { checkVersioned } from './options.js';
import { CachedReader } from './read-cached.js';
import { checkSchema } from './schema.js';

const DEFAULT_PAGE = 1_000;

/** The operations that read. */
export class Reads {
  readonly #store: ConfigStore;
  readonly #operations: Operations;
  readonly #cached: CachedReader;

  constructor(store: ConfigStore, operations: Operations) {
    this.#store = store;
    this.#operations = operations;
    this.#cached = new CachedReader(store);
  }

  async get<T>(key: string, options?: GetConfigOptions): Promise<ConfigValue<T>> {
    // A local copy that etcd has never filled would be waited for without end.
    const usualMs = ({ consistency }: GetConfigOptions) =>
      consistency === 'cached' ? this.#store.requestTimeoutMs : undefined;
    const given = { options, names: NAMES.get, usualMs };
    const check = (issues: IssueList, { schema, consistency }: GetConfigOptions) => {
      checkSchema(issues, schema);
      if (consistency !== undefined && consistency !== 'linearizable' && consistency !== 'cached') {
        const message = `must be 'linearizable' or 'cached', got ${show(consistency)}`;
        issues.push({ path: 'consistency', message });
      }
    };
    return this.#operations.onKey('get', key, given, check, async (name, wait, { schema, consistency }) => {
      const state =
        consistency === 'cached'
          ? await this.#cached.read(name, wait)
          : await readState(this.#store, name, wait.signalIfAny);
      if (state.raw === undefined) throw new NotFoundError(`config "${name}" does not exist`, { key: name });
      return (await readConfigValue(this.#store, name, state.raw, state, schema)) as ConfigValue<T>;
    });
  }

  async getVersion(key: string, options?: WaitOptions): Promise<number> {
    const given = { options, names: NAMES.wait };
    return this.#operations.onKey('getVersion', key, given, noCheck, async (name, wait) => {
      const state = await readState(this.#store, name, wait.signalIfAny);
      return state.raw === undefined ? 0 : lastVersion(state);
    });
  }

  async getHistory(key: string, options?: HistoryOptions): Promise<ConfigVersion[]> {
    const given = { options, names: NAMES.getHistory };
    const { maxVersionHistory } = this.#store.options;
    const check = (issues: IssueList, { limit }: HistoryOptions) => {
      checkVersioned(issues, this.#store);
      if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1)) {
        issues.push({ path: 'limit', message: `must be an integer from 1, got ${show(limit)}` });
      }
    };
    return this.#operations.onKey(
      'getHistory',
      key,
      given,
      check,
      (name, wait, { limit = maxVersionHistory }) => readHistory(this.#store, name, limit, wait.signal),
    );
  }

  async diff(key: string, from: number, to?: number, options?: WaitOptions): Promise<ConfigDiff> {
    const given = { options, names: NAMES.wait };
    const check = (issues: IssueList) => {
      checkVersioned(issues, this.#store);
      for (const [path, version] of Object.entries({ from, to })) {
        if (path === 'to' && version === undefined) continue;
        if (version !== undefined && Number.isSafeInteger(version) && version >= 0) continue;
        issues.push({ path, message: `must be a version from 0, got ${show(version)}` });
      }
    };
    return this.#operations.onKey('diff', key, given, check, (name, wait) =>
      diffVersions(this.#store, name, from, to, wait.signal),
    );
  }

  async list(prefix: string, options?: ListConfigOptions): Promise<ConfigKeyPage> {
    const given = { options, names: NAMES.list };
    let cursor: ListCursor | undefined;
    const check = (issues: IssueList, { limit = DEFAULT_PAGE, cursor: text }: ListConfigOptions) => {
      cursor = decodeCursor(issues, text);
      if (!Number.isSafeInteger(limit) || limit < 1 || limit > 10_000) {
        issues.push({ path: 'limit', message: `must be an integer from 1 to 10000, got ${show(limit)}` });
      }
    };
    return this.#operations.onKey(
      'list',
      prefix,
      given,
      check,
      (name, wait, { limit = DEFAULT_PAGE }) => listKeys(this.#store, name, limit, cursor, wait.signal),
      normalizePrefix,
    );
  }

  /** Lets the local copies go. */
  close(): Promise<void> {
    return this.#cached.close();
  }
}

function noCheck(): void {}
