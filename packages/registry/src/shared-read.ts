/** Reads of one thing under way at once; beyond that, callers share. */
const MAX_UNDER_WAY = 4;

interface Group<T> {
  readonly answer: Promise<T>;
  start(): void;
}

/**
 * Linearizable reads of one thing, shared by those who wait for it together.
 *
 * Nobody gets the answer to a read that began before he asked: who comes while enough reads are under way waits
 * for the next one, with all the others who have come meanwhile.
 */
export class SharedRead<T> {
  readonly #read: () => Promise<T>;
  #underWay = 0;
  #next: Group<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  get idle(): boolean {
    return this.#underWay === 0;
  }

  get(): Promise<T> {
    if (this.#underWay < MAX_UNDER_WAY) return this.#start();
    this.#next ??= this.#group();
    return this.#next.answer;
  }

  #group(): Group<T> {
    let start = () => {};
    const answer = new Promise<T>((resolve) => {
      start = () => resolve(this.#start());
    });
    return { answer, start };
  }

  async #start(): Promise<T> {
    this.#underWay++;
    try {
      return await this.#read();
    } finally {
      this.#underWay--;
      const next = this.#next;
      this.#next = undefined;
      next?.start();
    }
  }
}
