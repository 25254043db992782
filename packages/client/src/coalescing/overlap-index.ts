import type { Footprint } from './footprint.js';
import type { KeySpan } from './key-span.js';

/** Who is in the index: `sequence` grows from call to call. */
export interface Occupant {
  readonly sequence: number;
  readonly footprint: Footprint;
}

interface Access<T> {
  readonly occupant: T;
  readonly span: KeySpan;
  readonly writes: boolean;
}

/** Who uses a single key, each list in call order. */
interface KeyUsers<T> {
  readonly readers: T[];
  readonly writers: T[];
}

/** A directory of the key space: the part of keys up to a slash. */
class Directory<T extends Occupant> {
  readonly path: string;
  readonly parent: Directory<T> | undefined;
  readonly name: string;
  children: Map<string, Directory<T>> | undefined;
  keys: Map<string, KeyUsers<T>> | undefined;
  /** The ranges that lie within this directory and within none below it, in call order. */
  ranges: Access<T>[] | undefined;

  constructor(name: string, parent?: Directory<T>) {
    this.name = name;
    this.parent = parent;
    this.path = parent === undefined ? '' : parent.path + name;
  }

  get isEmpty(): boolean {
    return !this.keys?.size && !this.ranges?.length && !this.children?.size;
  }
}

/**
 * The calls under way and the keys they use, to find those in conflict: both use a key, and one of
 * them changes it.
 *
 * A tree by the slashes of keys. A single key costs a look-up for each of its directories, however many
 * calls there are; a range looks at what is below its directory, and no further.
 */
export class OverlapIndex<T extends Occupant> {
  readonly #root = new Directory<T>('');

  add(occupant: T): void {
    const { reads, writes } = occupant.footprint;
    for (const span of writes) this.#add(occupant, span, true);
    for (const span of reads) this.#add(occupant, span, false);
  }

  delete(occupant: T): void {
    const { reads, writes } = occupant.footprint;
    for (const span of writes) this.#delete(occupant, span, true);
    for (const span of reads) this.#delete(occupant, span, false);
  }

  /** The latest of the earlier calls that are in conflict with this one. */
  latestConflict(occupant: T): T | undefined {
    const search = new Search(occupant);
    for (const span of occupant.footprint.writes) this.#search(search, span, true);
    for (const span of occupant.footprint.reads) this.#search(search, span, false);
    return search.found;
  }

  #add(occupant: T, span: KeySpan, writes: boolean): void {
    let directory = this.#root;
    for (const name of span.directories) {
      directory.children ??= new Map();
      let child = directory.children.get(name);
      if (child === undefined) {
        child = new Directory(name, directory);
        directory.children.set(name, child);
      }
      directory = child;
    }
    if (!span.single) {
      const access = { occupant, span, writes };
      if (directory.ranges === undefined) directory.ranges = [access];
      else directory.ranges.push(access);
      return;
    }
    directory.keys ??= new Map();
    const users = directory.keys.get(span.start);
    if (users !== undefined) (writes ? users.writers : users.readers).push(occupant);
    else {
      directory.keys.set(
        span.start,
        writes ? { readers: [], writers: [occupant] } : { readers: [occupant], writers: [] },
      );
    }
  }

  #delete(occupant: T, span: KeySpan, writes: boolean): void {
    let directory: Directory<T> | undefined = this.#root;
    for (const name of span.directories) directory = directory?.children?.get(name);
    if (directory === undefined) return;
    if (span.single) {
      const users = directory.keys?.get(span.start);
      if (users === undefined) return;
      const list = writes ? users.writers : users.readers;
      const index = list.indexOf(occupant);
      if (index >= 0) list.splice(index, 1);
      if (users.readers.length === 0 && users.writers.length === 0) directory.keys?.delete(span.start);
    } else if (directory.ranges !== undefined) {
      const index = directory.ranges.findIndex(
        (access) => access.occupant === occupant && access.span === span && access.writes === writes,
      );
      if (index >= 0) directory.ranges.splice(index, 1);
    }
    while (directory.parent !== undefined && directory.isEmpty) {
      directory.parent.children?.delete(directory.name);
      directory = directory.parent;
    }
  }

  #search(search: Search<T>, span: KeySpan, writes: boolean): void {
    let directory: Directory<T> | undefined = this.#root;
    search.ranges(directory, span, writes);
    for (const name of span.directories) {
      directory = directory.children?.get(name);
      if (directory === undefined) return;
      search.ranges(directory, span, writes);
    }
    if (span.single) search.users(directory.keys?.get(span.start), writes);
    else search.below(directory, span, writes);
  }
}

class Search<T extends Occupant> {
  found: T | undefined;
  readonly #before: number;

  constructor(of: T) {
    this.#before = of.sequence;
  }

  /** The ranges of a directory itself. */
  ranges(directory: Directory<T>, span: KeySpan, writes: boolean): void {
    if (directory.ranges === undefined) return;
    for (const access of directory.ranges) {
      if (access.occupant.sequence >= this.#before) break;
      if ((writes || access.writes) && access.span.overlaps(span)) this.#note(access.occupant);
    }
  }

  users(users: KeyUsers<T> | undefined, writes: boolean): void {
    if (users === undefined) return;
    this.#lastBefore(users.writers);
    if (writes) this.#lastBefore(users.readers);
  }

  /** The keys of a directory, and all that is in those below it. */
  below(directory: Directory<T>, span: KeySpan, writes: boolean): void {
    for (const [key, users] of directory.keys ?? []) if (span.holds(key)) this.users(users, writes);
    for (const child of directory.children?.values() ?? []) {
      const startsBeforeEnd = span.end === undefined || child.path < span.end;
      if (!startsBeforeEnd || (child.path < span.start && !span.start.startsWith(child.path))) continue;
      this.ranges(child, span, writes);
      this.below(child, span, writes);
    }
  }

  #lastBefore(users: readonly T[]): void {
    // Nearly always the last one: whoever asks has usually just come.
    for (let i = users.length - 1; i >= 0; i--) {
      const user = users[i];
      if (user !== undefined && user.sequence < this.#before) {
        this.#note(user);
        return;
      }
    }
  }

  #note(occupant: T): void {
    if (this.found === undefined || occupant.sequence > this.found.sequence) this.found = occupant;
  }
}
