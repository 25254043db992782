import { raceAbort } from '@coord/client/internal';

/**
 * Reads of what never changes, such as a key as of a revision: who asks while another's question is under way
 * shares its answer. A thousand watches of one key hear of a change at the same moment.
 */
export class SharedReads<V> {
  readonly #running = new Map<string, Promise<V>>();

  /**
   * @param name says all about the question
   * @param ask must end by itself: it goes on for the others when this caller gives up
   */
  read(name: string, ask: () => Promise<V>, signal: AbortSignal): Promise<V> {
    const running = this.#running.get(name) ?? this.#start(name, ask);
    return raceAbort(running, signal);
  }

  #start(name: string, ask: () => Promise<V>): Promise<V> {
    const running = ask().finally(() => this.#running.delete(name));
    this.#running.set(name, running);
    return running;
  }
}
