import {
  CompactedError,
  type CoordError,
  type KeyValue,
  type WatchBatch,
  type WatchEvent,
} from '@coord/client';
import { seenValue } from '../seen-value.js';
import { type Change, digestOf, inOrderOfKeys } from './digest.js';
import type { ToldBatch, WatchShapes } from './watch-operations.js';

/** Followers of one prefix share what they are told: a long value is read once. */
const values = new WeakMap<KeyValue, string>();

/** A batch as it stands in the history. */
export function toldOf(
  { revision, resync, events }: WatchBatch,
  some: readonly WatchEvent[] = events,
): ToldBatch {
  const changes = some.map(changeOf);
  const previous = some.map((event) => event.previous && putOf(event.previous));
  const there = previous.filter((change) => change !== undefined).length;
  return {
    revision: Number(revision),
    events: some.length,
    digest: digestOf(resync ? inOrderOfKeys(changes) : changes),
    ...(resync && { resync }),
    ...(there > 0 && { previous: { events: there, digest: digestOf(previous) } }),
  };
}

/** Why a watch has failed. */
export function overOf(error: CoordError): WatchShapes['over']['output'] {
  const { name } = error;
  if (!(error instanceof CompactedError)) return { error: name };
  return { error: name, compactRevision: Number(error.compactRevision) };
}

/** What is there under a key. */
export function putOf(kv: KeyValue): Change {
  return changeOf({ type: 'put', key: kv.key, kv });
}

function changeOf({ type, key, kv }: WatchEvent): Change {
  const { createRevision, modRevision } = kv;
  return {
    ...{ type, key, value: textOf(kv) },
    createRevision: Number(createRevision),
    revision: Number(modRevision),
  };
}

function textOf(kv: KeyValue): string {
  const value = values.get(kv) ?? seenValue(kv.text());
  values.set(kv, value);
  return value;
}
