import { randomBytes } from 'node:crypto';
import {
  ConflictError,
  ConnectionError,
  CoordError,
  type KeyValue,
  type Op,
  type OpResult,
  TimeoutError,
  type TxnRequest,
} from '@coord/client';
import { backoffDelayMs, delay } from '@coord/client/internal';
import { type ConfigStore, readState } from './config-store.js';
import type { Content } from './content.js';
import { type KeyState, keyState, lastVersion } from './key-state.js';
import {
  type ConfigOperation,
  decodeHistoryEntry,
  encodeHistoryEntry,
  encodeMeta,
  type Meta,
} from './meta.js';

/** What a write wants to make of a key. */
export interface Change {
  readonly operation: ConfigOperation;
  /** Absent: delete. */
  readonly content: Content | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly from?: number | undefined;
}

/**
 * Decides on a write by the present state; called again after each lost race.
 * Undefined: nothing to do. Throws: the state does not allow the write.
 */
export type Decide = (state: KeyState) => Change | undefined;

export interface Commit {
  /** The record of the key now; undefined for a key without versions. */
  readonly meta: Meta | undefined;
  /** etcd's revision of the write, or of what was there when nothing was to do. */
  readonly revision: bigint;
  /** Before the write, or what is there when nothing was to do. */
  readonly previous: KeyState;
  readonly changed: boolean;
}

/** Each lost race means that another writer got through, so this many in a row is a broken key or a broken caller. */
const MAX_ATTEMPTS = 100;
/** What etcd takes by default in a request, less room for keys and records. */
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024 - 64 * 1024;
const CONTENTION = { initialDelayMs: 2, maxDelayMs: 100, multiplier: 1.6 };

/**
 * The one way in which a key changes: value, record and history in a single transaction that commits
 * only if neither value nor record has changed since `decide` saw them.
 *
 * @throws {ConflictError} after 100 lost races
 * @throws {CoordError} `COORD_CONFIG_DAMAGED` when the version record is not one of ours
 * @throws {CoordError} with outcome `unknown` when etcd did not answer whether the write was applied
 */
export async function commit(
  store: ConfigStore,
  key: string,
  decide: Decide,
  signal: AbortSignal,
): Promise<Commit> {
  let state = await readState(store, key, signal);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    if (state.damaged) throw damaged(store, key);
    const change = decide(state);
    if (change === undefined) return unchanged(state);
    const write = store.options.enableVersioning
      ? versionedWrite(store, key, state, change)
      : rawWrite(store, key, state, change);
    const result = await send(store, key, write, signal);
    if (result.applied) {
      return { meta: write.meta, revision: result.revision, previous: state, changed: true };
    }
    state = result.state;
    store.logger.debug('config write lost a race', { key, attempt });
    await delay(backoffDelayMs(attempt, CONTENTION), signal);
  }
  throw new ConflictError(`config "${key}": lost ${MAX_ATTEMPTS} races against other writers; retry later`, {
    key,
  });
}

function damaged({ layout }: ConfigStore, key: string): CoordError {
  const message = `config "${key}": the record at "${layout.meta(key)}" is damaged; restore it, or delete it to begin again at version 1`;
  return new CoordError('COORD_CONFIG_DAMAGED', message);
}

function unchanged(state: KeyState): Commit {
  return { meta: state.meta, revision: state.raw?.modRevision ?? 0n, previous: state, changed: false };
}

interface Write {
  readonly request: TxnRequest;
  /** Absent without versioning. */
  readonly meta: Meta | undefined;
}

function versionedWrite(store: ConfigStore, key: string, state: KeyState, change: Change): Write {
  const { layout, options } = store;
  const adopted = state.external ? adoptedVersion(store, key, state, change) : undefined;
  const version = (adopted?.version ?? lastVersion(state)) + 1;
  const now = new Date();
  const meta: Meta = {
    version,
    operation: change.operation,
    contentType: change.content?.type,
    createTime: state.raw === undefined ? now : (state.meta?.createTime ?? now),
    updateTime: now,
    author: change.author,
    comment: change.comment,
    metadata: change.metadata,
    from: change.from,
    nonce: randomBytes(12).toString('base64url'),
    omitted: false,
  };
  const rawKey = layout.raw(key);
  const success: Op[] = [
    change.content ? { put: { key: rawKey, value: change.content.bytes } } : { delete: rawKey },
    { put: { key: layout.meta(key), value: encodeMeta(meta) } },
    { put: { key: layout.history(key, version), value: encodeHistoryEntry(meta, change.content?.bytes) } },
  ];
  const oldestKept = version - options.maxVersionHistory + 1;
  // etcd refuses a transaction that deletes a key it puts: what would be pruned at once is not written.
  if (adopted !== undefined && adopted.version >= oldestKept) {
    const bytes = adopted.omitted ? undefined : state.raw?.value;
    success.push({
      put: { key: layout.history(key, adopted.version), value: encodeHistoryEntry(adopted, bytes) },
    });
  }
  if (oldestKept > 1) success.push({ delete: layout.historyRange(key, 0, oldestKept) });
  return {
    meta,
    request: {
      compare: [
        modIs(rawKey, state.raw),
        { key: layout.meta(key), target: 'mod', is: '=', to: state.metaRevision },
      ],
      success,
      failure: [{ get: rawKey }, { get: layout.meta(key) }, { get: layout.history(key, version) }],
    },
  };
}

/** The record of what others left (a value, or its removal), which becomes the version before ours. */
function adoptedVersion(store: ConfigStore, key: string, state: KeyState, change: Change): Meta {
  const size = state.raw?.value.length ?? 0;
  const omitted = size + 2 * (change.content?.bytes.length ?? 0) > MAX_REQUEST_BYTES;
  if (omitted) store.logger.warn('config value by others is too large for the history', { key, size });
  const now = new Date();
  return {
    version: lastVersion(state) + 1,
    operation: 'adopt',
    contentType: state.raw === undefined ? undefined : 'auto',
    createTime: state.meta?.createTime ?? now,
    updateTime: now,
    author: undefined,
    comment: undefined,
    metadata: {},
    from: undefined,
    nonce: '',
    omitted,
  };
}

/** Without versioning: the value alone. No record tells the writer, so a lost response stays unknown. */
function rawWrite({ layout }: ConfigStore, key: string, state: KeyState, { content }: Change): Write {
  const rawKey = layout.raw(key);
  return {
    meta: undefined,
    request: {
      compare: [modIs(rawKey, state.raw)],
      success: [content ? { put: { key: rawKey, value: content.bytes } } : { delete: rawKey }],
      failure: [{ get: rawKey }],
    },
  };
}

function modIs(key: string, kv: KeyValue | undefined) {
  return { key, target: 'mod', is: '=', to: kv?.modRevision ?? 0n } as const;
}

type SendResult =
  | { readonly applied: true; readonly revision: bigint }
  | { readonly applied: false; readonly state: KeyState };

/** How long a first attempt may take: its repetition, perhaps at another endpoint, needs time too. */
const FIRST_ATTEMPT_MS = 1_000;

/**
 * Sends the transaction. Its guards let it apply at most once, so after a lost response the very same
 * one is sent again: either it applies now, or the record tells whether it had applied before. We
 * repeat it, not the client, so that we know that there was an earlier attempt.
 */
async function send(store: ConfigStore, key: string, write: Write, signal: AbortSignal): Promise<SendResult> {
  const { kv } = store.client;
  const repeatable = write.meta !== undefined;
  const timeoutMs = repeatable ? Math.min(FIRST_ATTEMPT_MS, store.requestTimeoutMs) : undefined;
  let lost: CoordError | undefined;
  const result = await kv.txn(write.request, { signal, timeoutMs }).catch((error: unknown) => {
    if (!repeatable || signal.aborted || !CoordError.is(error)) throw error;
    if (error.outcome === 'unknown') lost = error;
    else if (!(error instanceof TimeoutError || error instanceof ConnectionError)) throw error;
    store.logger.info('config write got no answer, asking again', { key, code: error.code });
    return kv.txn(write.request, { signal, idempotent: lost !== undefined }).catch((second: unknown) => {
      throw lost ?? second; // the first one may have been applied, whatever became of the second
    });
  });
  if (result.succeeded) return { applied: true, revision: result.revision };
  const [raw, meta, history] = result.responses.map(firstKey);
  const state = keyState(raw, meta);
  if (write.meta === undefined) return { applied: false, state };
  if (state.meta?.nonce === write.meta.nonce) return { applied: true, revision: state.metaRevision };
  // Applied, and overwritten since: then its place in the history is ours.
  const entry = history && decodeHistoryEntry(history.value);
  if (history !== undefined && entry?.meta.nonce === write.meta.nonce) {
    return { applied: true, revision: history.createRevision };
  }
  const pruned = history === undefined && lastVersion(state) >= write.meta.version;
  if (pruned && lost !== undefined) throw lost;
  return { applied: false, state };
}

function firstKey(response: OpResult): KeyValue | undefined {
  return response.type === 'get' ? response.kvs[0] : undefined;
}
