import { type Compare, ConflictError, type TxnRequest } from '@coord/client';
import type { Change } from './change.js';
import { type ConfigStore, firstKey, writeReads, writeState } from './config-store.js';
import { joinedState, type KeyState, lastVersion } from './key-state.js';
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

/** What became of a write: it is done, or others were there first and left this state. */
export type Written =
  | {
      readonly commit: Commit;
      readonly state?: undefined;
      /** How it left the key, if that is known. */
      readonly left: KeyState | undefined;
    }
  | { readonly commit: undefined; readonly state: KeyState };

export async function writeVersioned(
  store: ConfigStore,
  key: string,
  state: KeyState,
  change: Change,
  signal: AbortSignal,
  guards: readonly Compare[] = [],
): Promise<Written> {
  const { layout } = store;
  const { meta, success, prune } = keyWrite(store, key, state, change, { roomBytes: MAX_REQUEST_BYTES });
  const historyKey = layout.history(key, meta.version);
  const request: TxnRequest = {
    compare: [...unchangedSince(store, key, state), ...guards, ...(change.alongside?.compare ?? [])],
    success: [...success, ...(change.alongside?.success ?? []), ...(prune === undefined ? [] : [prune])],
    failure: [...writeReads(store, key), { get: historyKey }],
  };
  const { result, lost } = await sendOnce(store, request, { key }, signal);
  const done = (revision: bigint, left?: KeyState): Written => ({
    commit: { meta, revision, changed: true },
    left,
  });
  if (result.succeeded) return done(result.revision, leftBy(state, change, meta, result.revision));
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

/** The state that a write leaves behind. */
function leftBy(before: KeyState, { content }: Change, meta: Meta, revision: bigint): KeyState {
  const raw = content && { value: content.bytes, modRevision: revision };
  return { ...before, ...joinedState(raw, meta, revision) };
}

/** Without versioning: the value alone. No record tells the writer, so a lost response stays unknown. */
export async function writeRaw(
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
  if (result.succeeded) {
    return { commit: { meta: undefined, revision: result.revision, changed: true }, left: undefined };
  }
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
