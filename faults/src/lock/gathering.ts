import { setTimeout as sleep } from 'node:timers/promises';

/** No longer than this do those who have come wait for the others. */
const PATIENCE_MS = 30;

interface Meeting {
  readonly parts: string[];
  readonly full: () => void;
  readonly over: Promise<void>;
}

/** Brings together those of a process that come to the same moment, so that what happens then happens to all of them. */
export class Gathering {
  readonly #size: number;
  readonly #meet: (parts: readonly string[]) => Promise<void>;
  #meeting: Meeting | undefined;

  /** @param meet what those who have come do together */
  constructor(size: number, meet: (parts: readonly string[]) => Promise<void>) {
    this.#size = size;
    this.#meet = meet;
  }

  join(part: string): Promise<void> {
    this.#meeting ??= this.#call();
    const { parts, full, over } = this.#meeting;
    parts.push(part);
    if (parts.length === this.#size) full();
    return over;
  }

  #call(): Meeting {
    const parts: string[] = [];
    const patience = new AbortController();
    const over = sleep(PATIENCE_MS, undefined, { signal: patience.signal })
      .catch(() => undefined) // all are there
      .then(() => {
        this.#meeting = undefined; // who comes now meets others
        return this.#meet(parts);
      });
    return { parts, full: () => patience.abort(), over };
  }
}
