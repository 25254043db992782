import type { WireKeyValue } from './key-value.js';

/** Nothing is known of the values yet: they may be as large as etcd takes them. */
const FIRST_PAGE_KEYS = 16;
const GROWTH = 16;
/** What a page is to hold, in keys and values. */
const PAGE_BYTES = 2 * 1024 * 1024;

/** How many keys to ask for in the next page of a list, by the size of those seen. */
export class PageSize {
  readonly #max: number;
  #keys: number;

  /** @param max never ask for more */
  constructor(max: number) {
    this.#max = max;
    this.#keys = Math.min(max, FIRST_PAGE_KEYS);
  }

  get keys(): number {
    return this.#keys;
  }

  note(page: readonly WireKeyValue[]): void {
    if (page.length === 0) return;
    let bytes = 0;
    for (const { key, value } of page) bytes += key.length + value.length;
    const fitting = Math.floor((PAGE_BYTES * page.length) / Math.max(1, bytes));
    this.#keys = Math.max(1, Math.min(this.#max, this.#keys * GROWTH, fitting));
  }
}
