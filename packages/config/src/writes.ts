import { checkFlag, type IssueList, readInput, show, type Wait } from '@coord/client/internal';
import { checkAnnotations, checkEncrypt } from './check-write.js';
import { commit } from './commit.js';
import type {
  AdoptConfigOptions,
  DeleteConfigOptions,
  RollbackConfigOptions,
  SetConfigOptions,
  WriteConfigOptions,
} from './config-center-types.js';
import type { ConfigStore } from './config-store.js';
import { type ConfigValue, makeConfigValue } from './config-value.js';
import { type Content, decodeContent, encodeContent, warnIfLarge } from './content.js';
import type { Given, Operations } from './operations.js';
import { NAMES } from './option-names.js';
import { checkVersioned } from './options.js';
import { type PastValue, pastValue } from './past-value.js';
import { checkPrecondition } from './precondition.js';
import { applySchema, checkSchema } from './schema.js';
import { decideAdopt, decideDelete, decidePut, type PutRequest } from './write-decisions.js';

/** The operations that change a single key. */
export class Writes {
  readonly #store: ConfigStore;
  readonly #operations: Operations;

  constructor(store: ConfigStore, operations: Operations) {
    this.#store = store;
    this.#operations = operations;
  }

  set<T>(key: string, value: T, options?: SetConfigOptions): Promise<ConfigValue<T>> {
    return this.#set('set', key, value, { options, names: NAMES.set });
  }

  /** The same, by a caller who means this version. */
  compareAndSet<T>(
    key: string,
    value: T,
    version: number,
    options?: WriteConfigOptions,
  ): Promise<ConfigValue<T>> {
    return this.#set('compareAndSet', key, value, { options, names: NAMES.compareAndSet }, () => ({
      // An absent number must not become an unconditional write.
      version: version === undefined ? Number.NaN : version,
    }));
  }

  async #set<T, O extends WriteConfigOptions>(
    name: 'set' | 'compareAndSet',
    key: string,
    value: T,
    given: Given<O>,
    more?: () => Pick<SetConfigOptions, 'version'>,
  ): Promise<ConfigValue<T>> {
    let content: Content | undefined;
    const check = (issues: IssueList, options: SetConfigOptions) => {
      content = readInput('value', () => encodeContent(issues, value, { format: options.format }));
      this.#checkWrite(issues, { ...options, ...more?.() });
    };
    return this.#operations.onKey(name, key, given, check, async (normalized, wait, options) => {
      if (content === undefined) throw new TypeError('the value has not been encoded');
      // A YAML document is given as text, and stands for what it says.
      const stored = content.type === 'yaml' ? (decodeContent(content) as T) : value;
      if (options.schema !== undefined) await wait.race(applySchema(options.schema, stored));
      const request = { ...options, ...more?.(), content, operation: 'put' } as const;
      return this.#put(normalized, stored, request, wait);
    });
  }

  async delete(key: string, options?: DeleteConfigOptions): Promise<boolean> {
    const given = { options, names: NAMES.delete };
    const check = (issues: IssueList, read: DeleteConfigOptions) => this.#checkWrite(issues, read);
    return this.#operations.onKey('delete', key, given, check, async (name, wait, read) => {
      return (await commit(this.#store, name, decideDelete(name, read), wait.signal)).changed;
    });
  }

  async rollback(key: string, version: number, given?: RollbackConfigOptions): Promise<ConfigValue> {
    const check = (issues: IssueList, options: RollbackConfigOptions) => {
      checkVersioned(issues, this.#store);
      if (!Number.isSafeInteger(version) || version < 1) {
        issues.push({ path: 'version', message: `must be an integer from 1, got ${show(version)}` });
      }
      this.#checkWrite(issues, options);
    };
    const all = { options: given, names: NAMES.rollback };
    return this.#operations.onKey('rollback', key, all, check, async (name, wait, options) => {
      const { content, value, sealed } = await this.#readPast(name, version, wait.signal);
      if (options.schema !== undefined) await wait.race(applySchema(options.schema, value));
      const encrypt = options.encrypt ?? (sealed || undefined); // what was secret stays so
      const request = { ...options, encrypt, content, operation: 'rollback', from: version } as const;
      return this.#put(name, value, request, wait);
    });
  }

  async adopt<T>(key: string, given?: AdoptConfigOptions): Promise<ConfigValue<T>> {
    const check = (issues: IssueList, options: AdoptConfigOptions) => {
      checkVersioned(issues, this.#store);
      this.#checkWrite(issues, options);
    };
    const all = { options: given, names: NAMES.adopt };
    return this.#operations.onKey('adopt', key, all, check, async (name, wait, options) => {
      let value: unknown;
      const decide = decideAdopt(this.#store.keyring, name, options, (found) => {
        value = found;
      });
      const { meta, revision } = await commit(this.#store, name, decide, wait.signal);
      return makeConfigValue(name, revision, { meta, external: false }, value as T);
    });
  }

  async #put<T>(key: string, value: T, request: PutRequest, wait: Wait): Promise<ConfigValue<T>> {
    warnIfLarge(this.#store.logger, key, request.content);
    const done = await commit(this.#store, key, decidePut(this.#store.keyring, key, request), wait.signal);
    return makeConfigValue(key, done.revision, { meta: done.meta, external: false }, value);
  }

  async #readPast(key: string, version: number, signal: AbortSignal): Promise<PastValue> {
    const { client, layout } = this.#store;
    return pastValue(
      this.#store,
      key,
      version,
      await client.kv.get(layout.history(key, version), { signal }),
    );
  }

  #checkWrite(issues: IssueList, options: SetConfigOptions): void {
    checkEncrypt(issues, options.encrypt, this.#store.keyring);
    checkPrecondition(issues, options, this.#store.options.enableVersioning);
    checkAnnotations(issues, options);
    checkSchema(issues, options.schema);
    checkFlag(issues, 'force', options.force);
  }
}
