import { ConflictError, CoordError } from '@coord/client';
import { backoffDelayMs, delay } from '@coord/client/internal';
import type { Change, Decide } from './change.js';
import { type ConfigStore, writeReads, writeState } from './config-store.js';
import type { KeyState } from './key-state.js';
import { encodeMeta } from './meta.js';
import { type Commit, type Written, writeRaw, writeVersioned } from './write-attempt.js';

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
  const unasked = await writeUnasked(store, key, decide, signal);
  if (unasked?.commit !== undefined) return unasked.commit;
  let state = unasked?.state ?? (await readForWrite(store, key, signal));
  return untilItCommits(store, key, signal, async () => {
    assertUndamaged(store, key, state);
    const change = decide(state);
    if (change === undefined) {
      return { meta: state.meta, revision: state.raw?.modRevision ?? 0n, changed: false };
    }
    const written = await write(store, key, state, change, signal);
    if (written.commit === undefined) state = written.state;
    // Where others write, too, it would be outdated by the next time.
    else if (unasked === undefined && written.left !== undefined) store.known.remember(key, written.left);
    return written.commit;
  });
}

async function readForWrite(store: ConfigStore, key: string, signal: AbortSignal): Promise<KeyState> {
  const reads = { success: writeReads(store, key) };
  const { responses } = await store.client.kv.txn(reads, { signal, idempotent: true });
  return writeState(store, responses);
}

/**
 * A write that goes by what this centre wrote last. Only a write that is made tells that this was still there, so
 * whatever else might be decided by it (a conflict, nothing to do) is left to be decided by what is there.
 *
 * @returns undefined when nothing was tried
 */
async function writeUnasked(
  store: ConfigStore,
  key: string,
  decide: Decide,
  signal: AbortSignal,
): Promise<Written | undefined> {
  const state = store.known.get(key);
  if (state?.meta === undefined) return undefined;
  const change = tryTo(() => decide(state));
  if (change === undefined || change.alongside !== undefined) return undefined;
  // By its nonce: revisions come again when etcd is restored from a backup.
  const sameRecord = {
    key: store.layout.meta(key),
    target: 'value',
    is: '=',
    to: encodeMeta(state.meta),
  } as const;
  const written = await writeVersioned(store, key, state, change, signal, [sameRecord]);
  if (written.commit === undefined) store.known.forget(key);
  else if (written.left !== undefined) store.known.remember(key, written.left);
  return written;
}

function tryTo(decide: () => Change | undefined): Change | undefined {
  try {
    return decide();
  } catch {
    return undefined;
  }
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
