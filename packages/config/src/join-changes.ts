import {
  type CacheUpdate,
  ConnectionError,
  type KeyValue,
  ResourceExhaustedError,
  TimeoutError,
} from '@coord/client';
import { type ConfigStore, readMetas, stateOf } from './config-store.js';
import type { KeyState } from './key-state.js';

/** A change of a raw value, joined with the version record of the same revision. */
export interface JoinedChange {
  readonly key: string;
  readonly kv: KeyValue;
  readonly state: KeyState;
}

export interface JoinedUpdate {
  readonly changes: readonly JoinedChange[];
  /**
   * False: some changes are left out, since nobody knows any more what they were, and with them all that have been
   * overtaken as well. Later ones of the same keys follow.
   */
  readonly complete: boolean;
}

/**
 * Joins all changes of one revision with their records. Both are written in one transaction, so the
 * records are read as they were at that revision: exact, and without a second watch to wait for.
 */
export async function joinChanges(
  store: ConfigStore,
  update: CacheUpdate<KeyValue>,
  below: string,
  signal: AbortSignal,
): Promise<JoinedUpdate> {
  const changed = update.changes.flatMap(({ type, kv }) => {
    const key = store.layout.keyOf(kv.key);
    return key === undefined ? [] : [{ key, kv, raw: type === 'put' ? kv : undefined }];
  });
  const keys = changed.map(({ key }) => key);
  const metas = await readMetas(store, keys, below, update.revision, signal);
  const changes: JoinedChange[] = [];
  const overtaken = new Set<string>();
  for (const { key, kv, raw } of changed) {
    const meta = metas.get(key);
    const at = { asOf: update.revision, changedAt: kv.modRevision, signal };
    const state = await stateOf(store, key, raw, meta, at);
    if (state !== undefined) changes.push({ key, kv, state });
    if (meta !== undefined && meta.modRevision > update.revision) overtaken.add(key);
  }
  const complete = changes.length === changed.length;
  // Half a release is never told, if it can be helped: what comes later of its keys will be whole.
  return { changes: complete ? changes : changes.filter(({ key }) => !overtaken.has(key)), complete };
}

/** What passes by itself, or when etcd is back. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof ConnectionError ||
    error instanceof TimeoutError ||
    error instanceof ResourceExhaustedError
  );
}
