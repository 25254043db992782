import { describe, expect, it } from 'vitest';
import { TxnCodec } from './txn-codec.js';
import { WatchCursor } from './watch-cursor.js';
import { EventType, type WatchEventMessage } from './watch-messages.js';

function put(revision: number, key = 'a'): WatchEventMessage {
  const kv = {
    key: Buffer.from(key),
    value: Buffer.from(String(revision)),
    mod_revision: BigInt(revision),
    create_revision: 1n,
    version: 1n,
    lease: 0n,
  };
  return { type: EventType.Put, kv, prev_kv: kv };
}

const cursorAt = (next: bigint) => new WatchCursor(new TxnCodec(''), next);
const revisionsOf = (cursor: WatchCursor, events: WatchEventMessage[], fragment = false) =>
  cursor.take(events, fragment).map(({ revision }) => Number(revision));

describe('WatchCursor', () => {
  it('groups events by revision, and stands after the last one', () => {
    const cursor = cursorAt(5n);
    const batches = cursor.take([put(5, 'a'), put(5, 'b'), put(7)], false);
    expect(batches.map(({ revision, events }) => [revision, events.length])).toEqual([
      [5n, 2],
      [7n, 1],
    ]);
    expect(cursor.next).toBe(8n);
  });

  it('drops what it has delivered already', () => {
    const cursor = cursorAt(5n);
    expect(revisionsOf(cursor, [put(4), put(5)])).toEqual([5]);
    expect(revisionsOf(cursor, [put(5), put(6)])).toEqual([6]);
    expect(revisionsOf(cursor, [put(6)])).toEqual([]);
    expect(cursor.next).toBe(7n);
  });

  it('takes the header’s revision only for a watch from now on, at its first attach', () => {
    const now = cursorAt(0n);
    now.attached(100n);
    expect(now.next).toBe(101n);
    now.attached(200n); // attached again: what happened between is still to come
    expect(now.next).toBe(101n);
    const behind = cursorAt(5n);
    behind.attached(100n);
    expect(behind.next).toBe(5n);
  });

  it('a revision that goes on in the next fragment is held back, whole ones are not', () => {
    const cursor = cursorAt(1n);
    expect(revisionsOf(cursor, [put(2), put(3, 'a')], true)).toEqual([2]);
    expect(cursor.next).toBe(3n);
    expect(revisionsOf(cursor, [put(3, 'b')], true)).toEqual([]);
    const [third, fourth] = cursor.take([put(3, 'c'), put(4)], false);
    expect(third?.events.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect(fourth?.revision).toBe(4n);
    expect(cursor.next).toBe(5n);
  });

  it.each(['detached', 'attached'] as const)('forgets half a revision: %s', (how) => {
    const cursor = cursorAt(3n);
    cursor.take([put(3, 'a')], true);
    if (how === 'detached') cursor.detached();
    else cursor.attached(9n);
    expect(cursor.next).toBe(3n);
    const [batch] = cursor.take([put(3, 'a'), put(3, 'b')], false);
    expect(batch?.events.map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('progress moves it on, never back, and not within a response', () => {
    const cursor = cursorAt(5n);
    expect(cursor.progress(4n)).toBe(false);
    expect(cursor.progress(9n)).toBe(true);
    expect(cursor.next).toBe(10n);
    expect(cursor.progress(9n)).toBe(false);
    cursor.take([put(12)], true);
    expect(cursor.progress(20n)).toBe(false);
    expect(revisionsOf(cursor, [put(13)])).toEqual([12, 13]);
  });
});
