/** Keys with more slashes share the directory at this depth. */
const MAX_DEPTH = 12;

/**
 * A range of keys, as text with one character a byte: JavaScript then compares and hashes keys as etcd
 * sorts them.
 */
export class KeySpan {
  readonly start: string;
  /** It is the one key `start`. */
  readonly single: boolean;
  readonly #end: string | undefined;
  #directories: readonly string[] | undefined;

  /** @param end etcd's `range_end`: absent = the single key, a zero byte = every key from `key` on */
  constructor(key: Buffer, end?: Buffer) {
    this.start = key.toString('latin1');
    this.single = end === undefined || end.length === 0;
    const open = this.single || (end?.length === 1 && end[0] === 0);
    this.#end = open ? undefined : end?.toString('latin1');
  }

  /** The first key beyond it; undefined = there is none: every key from `start` on. */
  get end(): string | undefined {
    return this.single ? `${this.start}\0` : this.#end;
  }

  holds(key: string): boolean {
    if (this.single) return key === this.start;
    return key >= this.start && (this.#end === undefined || key < this.#end);
  }

  overlaps(other: KeySpan): boolean {
    if (this.single) return other.holds(this.start);
    if (other.single) return this.holds(other.start);
    return startsBeforeEnd(this, other) && startsBeforeEnd(other, this);
  }

  equals(other: KeySpan): boolean {
    return this.start === other.start && this.single === other.single && this.#end === other.#end;
  }

  /** What all its keys begin with. */
  get commonPrefix(): string {
    const { start, single } = this;
    const end = this.#end;
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

  /** The directories that hold all its keys, from the top: each a part of the keys that ends with a slash. */
  get directories(): readonly string[] {
    this.#directories ??= directoriesOf(this.commonPrefix);
    return this.#directories;
  }
}

function startsBeforeEnd({ start }: KeySpan, { end }: KeySpan): boolean {
  return end === undefined || start < end;
}

function directoriesOf(prefix: string): readonly string[] {
  const names: string[] = [];
  for (let from = 0; names.length < MAX_DEPTH; ) {
    const slash = prefix.indexOf('/', from);
    if (slash < 0) break;
    names.push(prefix.slice(from, slash + 1));
    from = slash + 1;
  }
  return names;
}
