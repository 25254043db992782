/** How long the next read waits for the present one: a slow one, perhaps of a frozen server, must not hold up all others. */
const PATIENCE_MS = 100;
/** Reads of one thing under way at once, however slow they are. */
const MAX_UNDER_WAY = 4;

interface Group<T> {
  readonly answer: Promise<T>;
  start(): void;
}

/**
 * Linearizable reads of one thing, shared by those who wait for it together.
 *
 * Nobody gets the answer to a read that began before he asked: who comes while one is under way waits for the next
 * one, with all the others who have come meanwhile.
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
    if (this.#underWay === 0) return this.#start();
    this.#next ??= this.#group();
    return this.#next.answer;
  }

  #group(): Group<T> {
    let start = () => {};
    const timer = setTimeout(() => {
      if (this.#underWay < MAX_UNDER_WAY) this.#startNext();
    }, PATIENCE_MS).unref();
    const answer = new Promise<T>((resolve) => {
      start = () => {
        clearTimeout(timer);
        resolve(this.#start());
      };
    });
    return { answer, start };
  }

  #startNext(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.start();
  }

  async #start(): Promise<T> {
    this.#underWay++;
    try {
      return await this.#read();
    } finally {
      this.#underWay--;
      this.#startNext();
    }
  }
}
