import { isDeepStrictEqual } from 'node:util';
import { NotFoundError } from '@coord/client';
import { type ConfigStore, firstKey, readState } from './config-store.js';
import type { ConfigDiff } from './diff-types.js';
import { diffJson, diffText } from './diff-values.js';
import { isPlainObject } from './json-encode.js';
import { lastVersion } from './key-state.js';
import { decodeHistoryEntry } from './meta.js';
import { pastValue } from './past-value.js';

/** A version to compare. */
interface Side {
  readonly version: number;
  /** Undefined: the key was absent; no value is. */
  readonly value: unknown;
}

/**
 * @param to undefined: what is there now, by whomever
 * @throws {NotFoundError} when the history does not have a version
 */
export async function diffVersions(
  store: ConfigStore,
  key: string,
  from: number,
  to: number | undefined,
  signal: AbortSignal,
): Promise<ConfigDiff> {
  const { client, layout } = store;
  const versions = to === undefined ? [from] : [from, to];
  const { responses } = await client.kv.txn(
    { success: versions.map((version) => ({ get: layout.history(key, version) })) },
    { signal, idempotent: true },
  );
  const [before, after = await presentSide(store, key, signal)] = versions.map((version, index): Side => {
    if (version === 0) return { version, value: undefined };
    const response = responses[index];
    const kv = response && firstKey(response);
    const deleted = kv !== undefined && decodeHistoryEntry(kv.value)?.meta.contentType === undefined;
    return { version, value: deleted ? undefined : pastValue(store, key, version, kv).value };
  });
  if (before === undefined) throw new NotFoundError(`config "${key}": no version ${from}`, { key });
  return compare(key, before, after);
}

async function presentSide(store: ConfigStore, key: string, signal: AbortSignal): Promise<Side> {
  const state = await readState(store, key, signal);
  const version = lastVersion(state);
  if (state.raw === undefined) return { version, value: undefined };
  const type = state.external ? 'auto' : (state.meta?.contentType ?? 'auto');
  return { version, value: store.keyring.decode(key, { type, bytes: state.raw.value }) };
}

function compare(key: string, from: Side, to: Side): ConfigDiff {
  const before = from.value;
  const after = to.value;
  const diffed = { key, from: from.version, to: to.version, equal: isDeepStrictEqual(before, after) };
  if (typeof before === 'string' && typeof after === 'string') {
    return { kind: 'text', ...diffed, runs: diffText(before, after) };
  }
  const bothObjects = isPlainObject(before) && isPlainObject(after);
  if (bothObjects || (Array.isArray(before) && Array.isArray(after))) {
    return { kind: 'json', ...diffed, changes: diffJson(before, after) };
  }
  return {
    kind: 'whole',
    ...diffed,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
}
