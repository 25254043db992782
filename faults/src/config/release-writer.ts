import { CoordError, NotFoundError } from '@coord/client';
import type { ConfigCenter, PublishChange } from '@coord/config';
import { keysOf, LAST, RELEASES, rawKey, SECRET_MARK } from './config-names.js';
import type { Writer, Writing } from './writing.js';

const REVERTS = 0.25;

/** Publishes the three keys that belong together, and takes back what it published last. */
export class ReleaseWriter implements Writer {
  readonly #writing: Writing;
  readonly #keys: ReturnType<typeof keysOf>;
  /** What this process published last; empty: nothing that could be taken back. */
  #published = '';

  constructor(writing: Writing) {
    this.#writing = writing;
    this.#keys = keysOf(writing.context.assignment.run);
  }

  async step(): Promise<void> {
    const { nextId } = this.#writing;
    const { read, version } = await this.#read();
    if (read.endsWith(LAST)) return;
    if (this.#published !== '' && this.#writing.random() < REVERTS)
      await this.#revert(nextId(), read, this.#published);
    else await this.#publish(nextId(), read, version);
  }

  async finish(): Promise<boolean> {
    const { read, version } = await this.#read();
    if (read.endsWith(LAST)) return true;
    await this.#publish(`${this.#writing.nextId()}${LAST}`, read, version);
    return false;
  }

  async #read(): Promise<{ readonly read: string; readonly version: number }> {
    try {
      const { value, version } = await this.#writing.centers.first.get<{ left: string }>(this.#keys.left);
      return { read: value.left, version };
    } catch (error) {
      if (error instanceof NotFoundError) return { read: '', version: 0 };
      throw error;
    }
  }

  async #publish(id: string, read: string, version: number): Promise<void> {
    const { context, centers } = this.#writing;
    const center = this.#writing.random() < 0.5 ? centers.first : centers.second; // the key of secrets changes
    const encrypt = !context.isPlanted('in clear');
    const changes: readonly PublishChange[] = [
      { key: this.#keys.left, value: { left: id, read }, version },
      { key: this.#keys.right, value: { right: id } },
      { key: this.#keys.secret, value: `${SECRET_MARK}${id}`, encrypt },
    ];
    const result = await context.recorder.perform('release', { id, kind: 'publish', read }, async () => {
      if (context.isPlanted('key by key')) return setEach(center, changes, id);
      if (context.isPlanted('blind retry')) return this.#publishByHand(id, read);
      const release = await center.publish(changes, { comment: id });
      return { release: release?.id ?? '' };
    });
    if (read !== '') this.#published = result.output?.release ?? '';
  }

  async #revert(id: string, read: string, release: string): Promise<void> {
    const { context, centers } = this.#writing;
    this.#published = '';
    await context.recorder.perform('release', { id, kind: 'revert', read }, async () => {
      const reverted = await centers.first.revert(release, { comment: id });
      return { release: reverted?.id ?? '' };
    });
  }

  /** The planted mistake of who knows no transaction with a guard: what has no answer is sent again. */
  async #publishByHand(id: string, read: string): Promise<{ readonly release: string }> {
    const { client, context } = this.#writing;
    const { left, right, secret } = this.#keys;
    for (let attempt = 1; ; attempt++) {
      const release = `${id}-by-hand-${attempt}`;
      const listed = [left, right, secret].map((key) => ({ key }));
      const record = { id: release, msg: id, keys: listed };
      const values = {
        [left]: { left: id, read },
        [right]: { right: id },
        [secret]: 'coord:sealed:1:k1:none',
      };
      const puts = Object.entries(values).map(([key, value]) => ({
        put: { key: rawKey(key), value: JSON.stringify(value) },
      }));
      await context.at('during publish');
      try {
        const own = { put: { key: `${RELEASES}${release}`, value: JSON.stringify(record) } };
        await client.kv.txn({ success: [...puts, own] }, { timeoutMs: 500 });
        return { release: '' };
      } catch (error) {
        if (!CoordError.is(error) || attempt > 3) throw error;
      }
    }
  }
}

/** The planted mistake of who knows no transaction. */
async function setEach(
  center: ConfigCenter,
  changes: readonly PublishChange[],
  comment: string,
): Promise<{ readonly release: string }> {
  for (const change of changes) {
    if (change.delete === true) continue;
    const { key, value, encrypt } = change;
    await center.set(key, value, { comment, encrypt });
  }
  return { release: '' };
}
