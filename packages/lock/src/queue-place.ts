/** A look at a queue: who was before a contender, at one revision. */
export interface QueueList {
  /** The revision at which it was read; never before the contender joined. */
  readonly revision: bigint;
  /** Whether the contender's own key was there. */
  readonly present: boolean;
  /** The keys of all those before it. */
  readonly ahead: readonly { readonly key: string }[];
}

/** `unknown`: not listed yet. `first`: it holds the lock. `gone`: its own key was deleted. */
export type PlaceState = 'unknown' | 'waiting' | 'first' | 'gone';

/**
 * What a contender knows of its place, from one list and the deletions after it.
 *
 * A queue is ordered by create revision, so nobody can enter before one who is in it: those before
 * can only become fewer. When every key of one complete list has been seen to be deleted, the
 * contender is the first, without another look. A deletion that is never told makes it wait, and
 * never lets it in.
 */
export class QueuePlace {
  readonly #ownKey: string;
  /** Deletions told before the first list: it may have been read before them. */
  readonly #early: { readonly key: string; readonly revision: bigint }[] = [];
  #ahead: Set<string> | undefined;
  #listedAt = 0n;
  #gone = false;

  constructor(ownKey: string) {
    this.#ownKey = ownKey;
  }

  get state(): PlaceState {
    if (this.#gone) return 'gone';
    if (this.#ahead === undefined) return 'unknown';
    return this.#ahead.size === 0 ? 'first' : 'waiting';
  }

  /**
   * A complete list. The first one counts only if deletions have been told since before it was read;
   * later ones confirm it, and find what a watch has not told.
   */
  listed({ revision, present, ahead }: QueueList): void {
    if (!present) this.#gone = true;
    const known = this.#ahead;
    this.#ahead = new Set();
    for (const { key } of ahead) if (known === undefined || known.has(key)) this.#ahead.add(key);
    if (known !== undefined) return;
    this.#listedAt = revision;
    for (const deletion of this.#early.splice(0)) this.deleted(deletion.key, deletion.revision);
  }

  /** A deletion in the queue, in the order of their revisions. */
  deleted(key: string, revision: bigint): void {
    if (this.#ahead === undefined) this.#early.push({ key, revision });
    // One before the list was of an earlier key of the same name: Go uses its keys again.
    else if (revision <= this.#listedAt) return;
    else if (key === this.#ownKey) this.#gone = true;
    else this.#ahead.delete(key);
  }
}
