import { ConflictError, CoordError, type TxnRequest } from '@coord/client';
import { backoffDelayMs, delay } from '@coord/client/internal';
import type { Change, Decide } from './change.js';
import { type ConfigStore, firstKey, writeReads, writeState } from './config-store.js';
import { type KeyState, lastVersion } from './key-state.js';
import { checkStoredSchema, keyWrite, modIs, schemaUnchanged, unchangedSince } from './key-write.js';
import { decodeHistoryEntry, type Meta } from './meta.js';
import { MAX_REQUEST_BYTES } from './request-limits.js';
import { sendOnce } from './send-once.js';

export interface Commit {
  /** The record of the key now; undefined for a key without versions. */
  readonly meta: Meta | undefined;
  /** etcd's revision of the write, or of what was there when nothing was to do. */
  readonly revision: bigint;
  readonly changed: boolean;
}

/** Each lost race means that another writer got through, so this many in a row is a broken key or a broken caller. */
const MAX_ATTEMPTS = 100;
const CONTENTION = { initialDelayMs: 2, maxDelayMs: 100, multiplier: 1.6 };

/**
 * The one way in which a single key changes: value, record and history in a single transaction that commits
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
  const write = store.options.enableVersioning ? writeVersioned : writeRaw;
  const reads = { success: writeReads(store, key) };
  const { responses } = await store.client.kv.txn(reads, { signal, idempotent: true });
  let state = writeState(store, responses);
  return untilItCommits(store, key, signal, async () => {
    assertUndamaged(store, key, state);
    const change = decide(state);
    if (change === undefined) {
      return { meta: state.meta, revision: state.raw?.modRevision ?? 0n, changed: false };
    }
    const written = await write(store, key, state, change, signal);
    if (written.commit === undefined) state = written.state;
    return written.commit;
  });
}

/** What became of a write: it is done, or others were there first and left this state. */
type Written = { readonly commit: Commit } | { readonly commit: undefined; readonly state: KeyState };

async function writeVersioned(
  store: ConfigStore,
  key: string,
  state: KeyState,
  change: Change,
  signal: AbortSignal,
): Promise<Written> {
  const { layout } = store;
  const { meta, success, prune } = keyWrite(store, key, state, change, { roomBytes: MAX_REQUEST_BYTES });
  const historyKey = layout.history(key, meta.version);
  const request: TxnRequest = {
    compare: [...unchangedSince(store, key, state), ...(change.alongside?.compare ?? [])],
    success: [...success, ...(change.alongside?.success ?? []), ...(prune === undefined ? [] : [prune])],
    failure: [...writeReads(store, key), { get: historyKey }],
  };
  const { result, lost } = await sendOnce(store, request, { key }, signal);
  const done = (revision: bigint): Written => ({ commit: { meta, revision, changed: true } });
  if (result.succeeded) return done(result.revision);
  const found = writeState(store, result.responses);
  const history = result.responses.slice(-1).map(firstKey)[0];
  if (found.meta?.nonce === meta.nonce) return done(found.metaRevision);
  // Applied, and overwritten since: then its place in the history is ours.
  const entry = history && decodeHistoryEntry(history.value);
  if (history !== undefined && entry?.meta.nonce === meta.nonce) return done(history.createRevision);
  const pruned = history === undefined && lastVersion(found) >= meta.version;
  if (pruned && lost !== undefined) throw lost;
  assertNotAlongside(key, change, state, found);
  return { commit: undefined, state: found };
}

/** Without versioning: the value alone. No record tells the writer, so a lost response stays unknown. */
async function writeRaw(
  store: ConfigStore,
  key: string,
  state: KeyState,
  change: Change,
  signal: AbortSignal,
): Promise<Written> {
  const { client, layout } = store;
  const { content, alongside } = change;
  checkStoredSchema(store, key, state, content);
  const rawKey = layout.raw(key);
  const request: TxnRequest = {
    compare: [modIs(rawKey, state.raw), ...schemaUnchanged(store, key, state), ...(alongside?.compare ?? [])],
    success: [
      content ? { put: { key: rawKey, value: content.bytes } } : { delete: rawKey },
      ...(alongside?.success ?? []),
    ],
    failure: writeReads(store, key),
  };
  const result = await client.kv.txn(request, { signal });
  if (result.succeeded) return { commit: { meta: undefined, revision: result.revision, changed: true } };
  const found = writeState(store, result.responses);
  assertNotAlongside(key, change, state, found);
  return { commit: undefined, state: found };
}

/**
 * A refusal although the key is as it was comes from what was to be done alongside: trying again is no use.
 * @throws {ConflictError}
 */
function assertNotAlongside(key: string, { alongside }: Change, before: KeyState, found: KeyState): void {
  if (alongside === undefined) return;
  const same =
    before.raw?.modRevision === found.raw?.modRevision &&
    before.metaRevision === found.metaRevision &&
    before.schema?.revision === found.schema?.revision;
  if (same)
    throw new ConflictError(`config "${key}": what was to change with it has changed; read it again`, {
      key,
    });
}

/** Tries again for as long as others get there first, but not for ever. */
export async function untilItCommits<T>(
  store: ConfigStore,
  key: string,
  signal: AbortSignal,
  attemptOnce: () => Promise<T | undefined>,
): Promise<T> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const done = await attemptOnce();
    if (done !== undefined) return done;
    store.logger.debug('config write lost a race', { key, attempt });
    await delay(backoffDelayMs(attempt, CONTENTION), signal);
  }
  const message = `config "${key}": lost ${MAX_ATTEMPTS} races against other writers; retry later`;
  throw new ConflictError(message, { key });
}

export function assertUndamaged({ layout }: ConfigStore, key: string, { damaged }: KeyState): void {
  if (!damaged) return;
  const message = `config "${key}": the record at "${layout.meta(key)}" is damaged; restore it, or delete it to begin again at version 1`;
  throw new CoordError('COORD_CONFIG_DAMAGED', message);
}
