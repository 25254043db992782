import { Deferred } from './deferred.js';

/** Something that happens again and again, to wait for its next time. */
export class Pulse {
  /** Only there while somebody waits. */
  #next: Deferred | undefined;

  next(): Promise<void> {
    this.#next ??= new Deferred();
    return this.#next.promise;
  }

  fire(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
