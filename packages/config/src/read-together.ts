import type { KeyValue, Range } from '@coord/client';
import type { ConfigChange } from './config-change.js';
import { type ConfigStore, firstKey } from './config-store.js';
import { bareState, keyState } from './key-state.js';
import { plainValueOf, toConfigChange } from './to-config-change.js';

/** Several config keys, and what else is asked for, as they were at one moment. */
export interface ReadTogether {
  /** Each key as a `create`, or as a `delete` where it is absent, in the order of the question. */
  readonly changes: readonly ConfigChange[];
  /** What is in each of the ranges that were asked for. */
  readonly others: readonly (readonly KeyValue[])[];
}

/** Reads all of it in one transaction, linearizable: what one transaction wrote is seen as a whole. */
export async function readTogether(
  store: ConfigStore,
  keys: readonly string[],
  others: readonly Range[],
  signal: AbortSignal,
): Promise<ReadTogether> {
  const { client, layout, options } = store;
  const raws = keys.map((key) => ({ get: layout.raw(key) }));
  const metas = options.enableVersioning ? keys.map((key) => ({ get: layout.meta(key) })) : [];
  const rest = others.map((range) => ({ get: range }));
  const { responses } = await client.kv.txn(
    { success: [...raws, ...metas, ...rest] },
    { signal, idempotent: true },
  );
  const found = responses.map(firstKey);
  const changes = keys.map((key, index) => {
    const raw = found[index];
    const state = options.enableVersioning
      ? keyState(raw, found[keys.length + index])
      : bareState(raw, false);
    const revision = raw?.modRevision ?? state.metaRevision;
    const change = { key, revision, state, before: undefined, last: true };
    return toConfigChange(change, plainValueOf(store, key, state), undefined);
  });
  const ranges = responses.slice(responses.length - others.length);
  return {
    changes,
    others: ranges.map((answer) => (answer.type === 'get' ? answer.kvs : [])),
  };
}
