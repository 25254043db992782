import { NotFoundError, ValidationError } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import type { Outcome } from '../operation.js';
import { Refused } from '../recorder.js';
import { HISTORY_DEPTH, keysOf } from './config-names.js';
import type { Writer, Writing } from './writing.js';

const LOWEST = 30;
const MAXIMA = [LOWEST, 60, null];
const HIGH = 100;

/** A key that is set, deleted and rolled back, and one with a schema that changes, too. */
export class SpareWriter implements Writer {
  readonly #writing: Writing;
  readonly #keys: ReturnType<typeof keysOf>;

  constructor(writing: Writing) {
    this.#writing = writing;
    this.#keys = keysOf(writing.context.assignment.run);
  }

  async step(): Promise<void> {
    const { nextId } = this.#writing;
    const kind = this.#writing.random();
    if (kind < 0.2) await this.#set(nextId());
    else if (kind < 0.3) await this.#delete(nextId());
    else if (kind < 0.45) await this.#rollBack(nextId());
    else if (kind < 0.55) await this.#history();
    else if (kind < 0.7)
      await this.#setSchema(MAXIMA[Math.floor(this.#writing.random() * MAXIMA.length)] ?? null);
    else await this.#setChecked(nextId(), Math.floor(this.#writing.random() * HIGH));
  }

  /** In the end comes what the schema does not allow. */
  async finish(): Promise<boolean> {
    const set = await this.#setSchema(LOWEST);
    if (set === 'ok') await this.#setChecked(this.#writing.nextId(), LOWEST + 1);
    return set === 'ok';
  }

  async #set(id: string): Promise<void> {
    const { context, centers } = this.#writing;
    await context.recorder.perform('change', { id, key: this.#keys.spare, kind: 'set' }, async () => {
      await centers.first.set(this.#keys.spare, { id }, { comment: id });
      return { written: true };
    });
  }

  async #delete(id: string): Promise<void> {
    const { context, centers } = this.#writing;
    await context.recorder.perform('change', { id, key: this.#keys.spare, kind: 'delete' }, async () => ({
      written: await centers.second.delete(this.#keys.spare, { comment: id }),
    }));
  }

  async #rollBack(id: string): Promise<void> {
    const { context, centers } = this.#writing;
    const past = (await centers.first.getHistory(this.#keys.spare)).filter(
      ({ operation }) => operation !== 'delete',
    );
    const to = past[Math.floor(this.#writing.random() * past.length)];
    if (to === undefined) return;
    await context.recorder.perform('change', { id, key: this.#keys.spare, kind: 'rollback' }, async () => {
      await centers.first
        .rollback(this.#keys.spare, to.version, { comment: id, force: true })
        .catch((error: unknown) => {
          throw error instanceof NotFoundError ? new Refused('dropped meanwhile') : error;
        });
      return { written: true };
    });
  }

  async #history(): Promise<void> {
    const { context, centers } = this.#writing;
    await context.recorder.perform('history', { key: this.#keys.spare }, async () => {
      const history = await centers.first.getHistory(this.#keys.spare, { limit: HISTORY_DEPTH + 1 });
      return { versions: history.map(({ version }) => version) };
    });
  }

  async #setSchema(maximum: number | null): Promise<Outcome> {
    const { context, centers } = this.#writing;
    const { outcome } = await context.recorder.perform('schema', { maximum }, async () => {
      const n = { type: 'integer', ...(maximum === null ? {} : { maximum }) };
      if (maximum === null) await centers.first.deleteSchema(this.#keys.checked);
      else
        await centers.first.setSchema(this.#keys.checked, {
          type: 'object',
          properties: { n },
          required: ['n'],
        });
      return {};
    });
    return outcome;
  }

  async #setChecked(id: string, n: number): Promise<void> {
    const { context, centers, client } = this.#writing;
    const own = context.isPlanted('old schema')
      ? createConfigCenter(client, { enableValidation: false, maxVersionHistory: HISTORY_DEPTH })
      : centers.first;
    await context.recorder.perform('change', { id, key: this.#keys.checked, kind: 'set' }, async () => {
      await own.set(this.#keys.checked, { id, n }, { comment: id }).catch((error: unknown) => {
        throw error instanceof ValidationError ? new Refused('it does not fit') : error;
      });
      return { written: true };
    });
  }
}
