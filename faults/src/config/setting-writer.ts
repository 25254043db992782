import { setTimeout as sleep } from 'node:timers/promises';
import { NotFoundError, ValidationError } from '@coord/client';
import { Refused } from '../recorder.js';
import { idIn } from './config-log.js';
import { keysOf, LAST, rawKey } from './config-names.js';
import type { Setting } from './config-operations.js';
import type { Writer, Writing } from './writing.js';

const HIGH = 100;
const INVALID = 0.2;
/** A run with a planted mistake is short. */
const INVALID_IF_PLANTED = 0.5;
/** How long a planted writer takes from what it has read to what it writes. */
const SLOW_MS = 30;
const BY_OTHERS = 0.15;

/** What stands in `bounds`, whoever wrote it. */
interface Present {
  readonly id: string;
  readonly revision: bigint;
  /** Undefined: it was written without Coord. */
  readonly version: number | undefined;
}

/** Replaces what it has read in `bounds`, if that still stands: through Coord, or without. */
export class SettingWriter implements Writer {
  readonly #writing: Writing;
  readonly #key: string;

  constructor(writing: Writing) {
    this.#writing = writing;
    this.#key = keysOf(writing.context.assignment.run).bounds;
  }

  async step(): Promise<void> {
    const { nextId, context } = this.#writing;
    const { random } = this.#writing;
    const present = await this.#read();
    if (present.id.endsWith(LAST)) return;
    if (random() < BY_OTHERS) return this.#litter(nextId(), present);
    const invalid = context.assignment.variant === '' ? INVALID : INVALID_IF_PLANTED;
    const low = random() < invalid ? HIGH + 1 : Math.floor(random() * HIGH);
    await this.#write({ id: nextId(), read: present.id, low, high: HIGH, last: false }, present);
  }

  async finish(): Promise<boolean> {
    const present = await this.#read();
    if (present.id.endsWith(LAST)) return true;
    const id = `${this.#writing.nextId()}${LAST}`;
    await this.#write({ id, read: present.id, low: 0, high: HIGH, last: true }, present);
    return false;
  }

  async #read(): Promise<Present> {
    const { client, centers } = this.#writing;
    try {
      const { version, revision, external, value } = await centers.first.get<unknown>(this.#key);
      return {
        id: idIn(typeof value === 'string' ? value : JSON.stringify(value)),
        revision,
        version: external ? undefined : version,
      };
    } catch (error) {
      if (error instanceof NotFoundError) return { id: '', revision: 0n, version: 0 };
      if (!(error instanceof ValidationError)) throw error;
      const raw = await client.kv.get(rawKey(this.#key)); // it looks as if it were encrypted
      return { id: idIn(raw?.text() ?? ''), revision: raw?.modRevision ?? 0n, version: undefined };
    }
  }

  async #write(next: Setting, { version, revision }: Present): Promise<void> {
    const { context, centers } = this.#writing;
    await context.at('between read and write');
    await context.recorder.perform('write', next, async () => {
      const comment = next.id;
      if (context.isPlanted('unconditional')) {
        await sleep(SLOW_MS);
        return centers.first.set(this.#key, next, { comment, encrypt: false });
      }
      // No version number matches what others wrote, and no key opens what only looks encrypted.
      if (version === undefined)
        return centers.first.set(this.#key, next, { revision, comment, encrypt: false });
      return centers.first.compareAndSet(this.#key, next, version, { comment });
    });
  }

  /** As others might with etcdctl: what Coord cannot use, or not read. */
  async #litter(id: string, { id: read, revision }: Present): Promise<void> {
    const { context, client } = this.#writing;
    const kinds = [`rubbish ${id}`, `{"id":"${id}",`, `coord:sealed:1:k9:${id}`, `["${id}"]`];
    const value = kinds[Math.floor(this.#writing.random() * kinds.length)] ?? id;
    const key = rawKey(this.#key);
    await context.at('between read and write');
    await context.recorder.perform('rubbish', { id, read }, async () => {
      const isAsRead = { key, target: 'mod', is: '=', to: revision } as const;
      const { succeeded } = await client.kv.txn({ compare: [isAsRead], success: [{ put: { key, value } }] });
      if (!succeeded) throw new Refused('it has changed');
      return {};
    });
  }
}
