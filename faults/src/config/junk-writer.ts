import { keysOf, LAST, rawKey } from './config-names.js';
import type { Writer, Writing } from './writing.js';

/** Others, without Coord: sometimes what can be used, in the end what cannot. */
export class JunkWriter implements Writer {
  readonly #writing: Writing;
  readonly #key: string;

  constructor(writing: Writing) {
    this.#writing = writing;
    this.#key = rawKey(keysOf(writing.context.assignment.run).junk);
  }

  async step(): Promise<void> {
    const { nextId } = this.#writing;
    const id = nextId();
    await this.#put(id, this.#writing.random() < 0.5 ? JSON.stringify({ id }) : `{"id":"${id}"`);
  }

  async finish(): Promise<boolean> {
    const id = `${this.#writing.nextId()}${LAST}`;
    return (await this.#put(id, `[${id}`)) === 'ok';
  }

  async #put(id: string, value: string): Promise<string> {
    const { context, client } = this.#writing;
    const { outcome } = await context.recorder.perform('junk', { id }, async () => {
      await client.kv.put(this.#key, value);
      return {};
    });
    return outcome;
  }
}
