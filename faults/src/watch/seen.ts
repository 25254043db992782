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

/** Watches of one client and prefix share what they are told: a long value is read once, */
const values = new WeakMap<KeyValue, string>();
/** and the digest of a revision is made once. */
const digests = new WeakMap<readonly WatchEvent[], string>();

/** A batch as it stands in the history. */
export function toldOf(
  { revision, resync, events }: WatchBatch,
  some: readonly WatchEvent[] = events,
): ToldBatch {
  const there = some.filter((event) => event.previous !== undefined).length;
  return {
    revision: Number(revision),
    events: some.length,
    digest: digestOfEvents(some, resync),
    ...(resync && { resync }),
    ...(there > 0 && { previous: { events: there, digest: digestOfPrevious(some) } }),
  };
}

function digestOfEvents(events: readonly WatchEvent[], resync: boolean): string {
  let digest = digests.get(events);
  if (digest === undefined) {
    const changes = events.map(changeOf);
    digest = digestOf(resync ? inOrderOfKeys(changes) : changes);
    digests.set(events, digest);
  }
  return digest;
}

function digestOfPrevious(events: readonly WatchEvent[]): string {
  return digestOf(events.map((event) => event.previous && putOf(event.previous)));
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
