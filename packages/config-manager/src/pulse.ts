import { Deferred } from './deferred.js';

/** Something that happens again and again, to wait for its next time. */
export class Pulse {
  #next = new Deferred();

  next(): Promise<void> {
    return this.#next.promise;
  }

  fire(): void {
    this.#next.resolve();
    this.#next = new Deferred();
  }
}
