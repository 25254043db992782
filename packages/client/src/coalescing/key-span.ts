/**
 * A range of keys, as text with one character a byte: JavaScript then compares and hashes keys as etcd
 * sorts them, without a copy.
 */
export interface KeySpan {
  readonly start: string;
  /** The first key beyond it; undefined = there is none: every key from `start` on. */
  readonly end: string | undefined;
  /** It is this one key. */
  readonly single: boolean;
}

/** @param end etcd's `range_end`: absent = the single key, a zero byte = every key from `key` on */
export function keySpan(key: Buffer, end?: Buffer): KeySpan {
  const start = key.toString('latin1');
  if (end === undefined || end.length === 0) return { start, end: `${start}\0`, single: true };
  const open = end.length === 1 && end[0] === 0;
  return { start, end: open ? undefined : end.toString('latin1'), single: false };
}

export function spansOverlap(a: KeySpan, b: KeySpan): boolean {
  return (b.end === undefined || a.start < b.end) && (a.end === undefined || b.start < a.end);
}

export function spanHolds(span: KeySpan, key: string): boolean {
  return key >= span.start && (span.end === undefined || key < span.end);
}

/** What all keys of the span begin with. */
export function commonPrefix({ start, end, single }: KeySpan): string {
  if (single) return start;
  if (end === undefined) return '';
  let length = 0;
  while (length < end.length && start.charCodeAt(length) === end.charCodeAt(length)) length++;
  // The end of a prefix range is the prefix with its last byte raised by one.
  const raised =
    end.length === length + 1 &&
    length < start.length &&
    start.charCodeAt(length) + 1 === end.charCodeAt(length);
  return start.slice(0, raised ? length + 1 : length);
}
