import { NotFoundError, type WaitOptions } from '@coord/client';
import { checkNames, type IssueList, isArray, readInput, show, type Wait } from '@coord/client/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Decide } from './change.js';
import { checkAnnotations, checkEncrypt } from './check-write.js';
import { commitRelease } from './commit-release.js';
import { type ConfigStore, firstKey } from './config-store.js';
import { type Content, decodeContent, encodeContent, warnIfLarge } from './content.js';
import { normalizeKey } from './key-layout.js';
import type { Keyring } from './keyring.js';
import type { Operations } from './operations.js';
import { NAMES } from './option-names.js';
import { checkVersioned } from './options.js';
import { pastValue } from './past-value.js';
import { checkPrecondition } from './precondition.js';
import { decodeRelease } from './release-record.js';
import type {
  ConfigRelease,
  ListReleasesOptions,
  PublishChange,
  PublishOptions,
  ReleaseChange,
  RevertOptions,
} from './release-types.js';
import { MAX_KEYS, MAX_RELEASES, MAX_REQUEST_BYTES } from './request-limits.js';
import { applySchema, checkSchema } from './schema.js';
import { decideDelete, decidePut, decideRevert } from './write-decisions.js';

const DEFAULT_LIMIT = 100;

/** Releases: many keys in one step, and back again in one. */
export class Releases {
  readonly #store: ConfigStore;
  readonly #operations: Operations;

  constructor(store: ConfigStore, operations: Operations) {
    this.#store = store;
    this.#operations = operations;
  }

  async publish(
    changes: readonly PublishChange[],
    given?: PublishOptions,
  ): Promise<ConfigRelease | undefined> {
    const parts: Part[] = [];
    const check = (issues: IssueList, options: PublishOptions) => {
      this.#checkRelease(issues, options);
      const checked = () => checkChanges(issues, changes, options, this.#store.keyring);
      parts.push(...readInput('changes', checked));
    };
    const subject = { keys: isArray(changes) ? changes.length : 0 };
    const all = { options: given, names: NAMES.publish };
    return this.#operations.run('publish', subject, all, check, async (wait, options) => {
      for (const { key, content, schema, value, path } of parts) {
        if (content !== undefined) warnIfLarge(this.#store.logger, key, content);
        if (schema === undefined || content === undefined) continue;
        const stored = content.type === 'yaml' ? decodeContent(content) : value;
        await wait.race(applySchema(schema, stored, path));
      }
      const { author, comment } = options;
      const decisions = new Map(parts.map(({ key, decide }) => [key, decide]));
      const plan = { author, comment, reverts: undefined, decisions };
      return commitRelease(this.#store, plan, wait.signal);
    });
  }

  async revert(releaseId: string, given?: RevertOptions): Promise<ConfigRelease | undefined> {
    const check = (issues: IssueList, options: RevertOptions) => {
      checkId(issues, releaseId);
      this.#checkRelease(issues, options);
      checkSchemas(issues, options.schemas);
    };
    const all = { options: given, names: NAMES.revert };
    return this.#operations.run('revert', about(releaseId), all, check, async (wait, options) => {
      const { changes } = await this.#read(releaseId, wait.signal);
      const decisions = await this.#reverseOf(changes, options, wait);
      const { author, comment } = options;
      return commitRelease(this.#store, { author, comment, reverts: releaseId, decisions }, wait.signal);
    });
  }

  async get(releaseId: string, options?: WaitOptions): Promise<ConfigRelease> {
    const check = (issues: IssueList) => {
      checkId(issues, releaseId);
      checkVersioned(issues, this.#store);
    };
    const all = { options, names: NAMES.wait };
    return this.#operations.run('getRelease', about(releaseId), all, check, (wait) =>
      this.#read(releaseId, wait.signal),
    );
  }

  async list(options?: ListReleasesOptions): Promise<ConfigRelease[]> {
    const check = (issues: IssueList, { limit = DEFAULT_LIMIT }: ListReleasesOptions) => {
      checkVersioned(issues, this.#store);
      if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_RELEASES) {
        issues.push({
          path: 'limit',
          message: `must be an integer from 1 to ${MAX_RELEASES}, got ${show(limit)}`,
        });
      }
    };
    const all = { options, names: NAMES.listReleases };
    return this.#operations.run('listReleases', {}, all, check, async ({ signal }, read) => {
      const { limit = DEFAULT_LIMIT } = read;
      const { client, layout } = this.#store;
      const sort = { by: 'create', order: 'descend' } as const;
      const { kvs } = await client.kv.range(layout.releases, { limit, sort, signal });
      return kvs.map(decodeRelease).filter((release) => release !== undefined);
    });
  }

  async #read(releaseId: string, signal: AbortSignal): Promise<ConfigRelease> {
    const { client, layout } = this.#store;
    const kv = await client.kv.get(layout.release(releaseId), { signal });
    const release = kv && decodeRelease(kv);
    if (release !== undefined) return release;
    throw new NotFoundError(`config release "${releaseId}" does not exist`, { key: releaseId });
  }

  /** What brings each key back to where the release found it. */
  async #reverseOf(
    changes: readonly ReleaseChange[],
    options: RevertOptions,
    wait: Wait,
  ): Promise<ReadonlyMap<string, Decide>> {
    const { client, layout } = this.#store;
    const { responses } = await client.kv.txn(
      { success: changes.map(({ key, from }) => ({ get: layout.history(key, from) })) },
      { signal: wait.signal, idempotent: true },
    );
    const decisions = new Map<string, Decide>();
    for (const [index, change] of changes.entries()) {
      const { key, from } = change;
      const response = responses[index];
      const past = from === 0 ? undefined : pastValue(this.#store, key, from, response && firstKey(response));
      const schema = options.schemas?.[key];
      if (past !== undefined && schema !== undefined) {
        await wait.race(applySchema(schema, past.value, `"${key}"`));
      }
      decisions.set(key, decideRevert(this.#store.keyring, change, past, options));
    }
    return decisions;
  }

  #checkRelease(issues: IssueList, options: PublishOptions): void {
    checkVersioned(issues, this.#store);
    checkAnnotations(issues, options);
    if (options.force !== undefined && typeof options.force !== 'boolean') {
      issues.push({ path: 'force', message: `must be true or false, got ${show(options.force)}` });
    }
  }
}

/** One change of a release that has been checked. */
interface Part {
  readonly key: string;
  readonly decide: Decide;
  readonly content?: Content;
  readonly value?: unknown;
  readonly schema?: StandardSchemaV1 | undefined;
  /** Where the value is in the call's input. */
  readonly path?: string;
}

function checkChanges(
  issues: IssueList,
  changes: unknown,
  options: PublishOptions,
  keyring: Keyring,
): readonly Part[] {
  if (!isArray(changes) || changes.length === 0 || changes.length > MAX_KEYS) {
    const got = isArray(changes) ? `${changes.length}` : show(changes);
    issues.push({ path: 'changes', message: `must be an array of 1 to ${MAX_KEYS} changes, got ${got}` });
    return [];
  }
  const seen = new Set<string>();
  const parts = changes.map((change: unknown, index) => {
    const path = `changes[${index}]`;
    const own: IssueList = [];
    const part = isObject(change)
      ? readInput(path, () => checkChange(own, change as PublishChange, path, options, keyring))
      : undefined;
    if (part === undefined) own.push({ path: '', message: `must be an object, got ${show(change)}` });
    else if (seen.has(part.key)) own.push({ path: 'key', message: `${show(part.key)} is there twice` });
    else seen.add(part.key);
    issues.push(
      ...own.map((issue) => ({ ...issue, path: issue.path === '' ? path : `${path}.${issue.path}` })),
    );
    return part;
  });
  const bytes = parts.reduce((sum, part) => sum + 2 * (part?.content?.bytes.length ?? 0), 0);
  if (bytes > MAX_REQUEST_BYTES) {
    const message = `must weigh at most ${MAX_REQUEST_BYTES / 2} bytes together, got ${bytes / 2}`;
    issues.push({ path: 'changes', message });
  }
  return parts.filter((part) => part !== undefined);
}

function checkChange(
  issues: IssueList,
  change: PublishChange,
  path: string,
  options: PublishOptions,
  keyring: Keyring,
): Part {
  const key = normalizeKey(issues, change.key);
  checkNames(issues, change, change.delete === true ? NAMES.deletion : NAMES.put);
  const { author, comment, force } = options;
  const { version, revision } = change;
  checkPrecondition(issues, change, true);
  if (change.delete === true) {
    if ('value' in change) issues.push({ path: 'value', message: 'must not be given with delete' });
    return { key, decide: decideDelete(key, { version, revision, author, comment }) };
  }
  const { value, schema, metadata, encrypt, format } = change;
  if (change.delete !== undefined && change.delete !== false) {
    issues.push({ path: 'delete', message: `must be true or false, got ${show(change.delete)}` });
  }
  checkAnnotations(issues, { metadata });
  checkEncrypt(issues, encrypt, keyring);
  checkSchema(issues, schema);
  const content = encodeContent(issues, value, { format });
  const request = {
    version,
    revision,
    author,
    comment,
    metadata,
    encrypt,
    force,
    content,
    operation: 'put',
  } as const;
  return { key, decide: decidePut(keyring, key, request), content, value, schema, path: `${path}.value` };
}

function checkSchemas(issues: IssueList, schemas: RevertOptions['schemas']): void {
  if (schemas !== undefined && !isObject(schemas)) {
    issues.push({ path: 'schemas', message: `must be an object, got ${show(schemas)}` });
    return;
  }
  for (const [key, schema] of Object.entries(schemas ?? {})) {
    checkSchema(issues, schema, `schemas["${key}"]`);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !isArray(value);
}

/** For the log and error messages. */
function about(releaseId: unknown): Readonly<Record<string, string>> {
  return typeof releaseId === 'string' ? { release: releaseId } : {};
}

function checkId(issues: IssueList, releaseId: unknown): void {
  if (typeof releaseId === 'string' && /^[\w-]{1,64}$/.test(releaseId)) return;
  issues.push({ path: 'releaseId', message: `must be the id of a release, got ${show(releaseId)}` });
}
