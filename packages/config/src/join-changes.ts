import {
  type CacheUpdate,
  ConnectionError,
  type KeyValue,
  ResourceExhaustedError,
  TimeoutError,
  ValidationError,
} from '@coord/client';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigChange } from './config-change.js';
import { type ConfigStore, readMetas, stateOf } from './config-store.js';
import { type ConfigValue, readConfigValue } from './config-value.js';
import { type KeyState, lastVersion } from './key-state.js';

/** A change of a raw value, joined with the version record of the same revision. */
export interface JoinedChange {
  readonly key: string;
  readonly revision: bigint;
  readonly state: KeyState;
  readonly last: boolean;
}

export interface JoinedUpdate {
  readonly changes: readonly JoinedChange[];
  /** False: some changes are left out, since nobody knows any more what they were. Later ones of the same keys follow. */
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
    return key === undefined ? [] : [{ key, raw: type === 'put' ? kv : undefined, revision: kv.modRevision }];
  });
  const keys = changed.map(({ key }) => key);
  const metas = await readMetas(store, keys, below, update.revision, signal);
  const known: Omit<JoinedChange, 'last'>[] = [];
  for (const { key, raw, revision } of changed) {
    const at = { asOf: update.revision, changedAt: revision, signal };
    const state = await stateOf(store, key, raw, metas.get(key), at);
    if (state !== undefined) known.push({ key, revision, state });
  }
  const changes = known.map((change, index) => ({ ...change, last: index === known.length - 1 }));
  return { changes, complete: known.length === changed.length };
}

/** What passes by itself, or when etcd is back. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof ConnectionError ||
    error instanceof TimeoutError ||
    error instanceof ResourceExhaustedError
  );
}

/** The change as the consumer gets it. What is unusable becomes part of the event: the watch goes on. */
export async function toConfigChange(
  store: ConfigStore,
  { key, revision, state, last }: JoinedChange,
  before: KeyState | undefined,
  schema: StandardSchemaV1 | undefined,
): Promise<ConfigChange> {
  const current = await readUsable(store, key, state, schema);
  const previous = before && (await readUsable(store, key, before, schema));
  const { external } = state;
  return {
    type: state.raw === undefined ? 'delete' : before === undefined ? 'create' : 'update',
    key,
    ...(current instanceof ValidationError ? { error: current } : current && { value: current.value }),
    ...(previous !== undefined && !(previous instanceof ValidationError) && { previous }),
    version: lastVersion(state) || lastVersion(before ?? state),
    revision,
    external,
    ...(!external && state.meta?.release !== undefined && { releaseId: state.meta.release }),
    last,
    timestamp: external || state.meta === undefined ? new Date() : new Date(state.meta.updateTime),
  };
}

async function readUsable(
  store: ConfigStore,
  key: string,
  state: KeyState,
  schema: StandardSchemaV1 | undefined,
): Promise<ConfigValue | ValidationError | undefined> {
  if (state.raw === undefined) return undefined;
  try {
    return await readConfigValue(store, key, state.raw, state, schema);
  } catch (error) {
    if (error instanceof ValidationError) return error;
    return new ValidationError([{ path: 'value', message: 'the schema failed to check it' }], {
      cause: error,
    });
  }
}
