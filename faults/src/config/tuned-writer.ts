import { NotFoundError } from '@coord/client';
import {
  type CanaryRule,
  type ConfigCanary,
  getCanary,
  listOverrides,
  overrideConfig,
  startCanary,
} from '@coord/config-manager';
import { Refused } from '../recorder.js';
import { halfOf, instanceKey, keysOf, LAST, overridePrefix } from './config-names.js';
import type { Writer, Writing } from './writing.js';

const OVERRIDE_MS = 2_000;
const BAD = 0.15;
const RULES: readonly CanaryRule[] = [
  { percent: 100 },
  { percent: 0 },
  { labels: { half: halfOf(0) } },
  { labels: { half: halfOf(1) } },
];

/** A value with a canary, overrides and values for one instance over it. */
export class TunedWriter implements Writer {
  readonly #writing: Writing;
  readonly #keys: ReturnType<typeof keysOf>;

  constructor(writing: Writing) {
    this.#writing = writing;
    this.#keys = keysOf(writing.context.assignment.run);
  }

  async step(): Promise<void> {
    const { nextId, random } = this.#writing;
    const kind = random();
    const id = nextId();
    if (kind < 0.25) return this.#set(this.#keys.tuned, id, { base: random() < BAD ? `bad-${id}` : id });
    if (kind < 0.35) return this.#set(instanceKey(this.#keys, random() < 0.5 ? 2 : 3), id, { own: id });
    if (kind < 0.5) return this.#override(id);
    const canary = await this.#canary();
    if (canary === undefined) return this.#start(id);
    if (random() < 0.5) return this.#resize(canary, id);
    return random() < 0.6 ? this.#promote(canary, id) : this.#drop(canary, id);
  }

  async finish(): Promise<boolean> {
    const { centers, nextId } = this.#writing;
    const { tuned } = this.#keys;
    await (await this.#canary())?.drop();
    const present = await centers.first.getValue(tuned, { base: '' });
    if (present.base.endsWith(LAST)) return true;
    const id = nextId();
    await this.#set(tuned, id, { base: `${id}${LAST}` });
    return false;
  }

  async #canary(): Promise<ConfigCanary | undefined> {
    try {
      return await getCanary(this.#writing.centers.first, this.#keys.tuned);
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  async #set(key: string, id: string, value: object): Promise<void> {
    const { context, centers } = this.#writing;
    await context.recorder.perform('change', { id, key, kind: 'set' }, async () => {
      await centers.second.set(key, value, { comment: id });
      return { written: true };
    });
  }

  async #override(id: string): Promise<void> {
    const { context, centers, client } = this.#writing;
    const begun = await context.recorder.perform('override', { id, kind: 'start' }, async () => {
      if (context.isPlanted('endless override')) {
        await client.kv.put(`${overridePrefix(this.#keys.tuned)}${id}`, endlessOverride(id));
        return {};
      }
      await overrideConfig(
        centers.first,
        this.#keys.tuned,
        { over: id },
        { ttlMs: OVERRIDE_MS, comment: id },
      );
      return {};
    });
    if (begun.outcome !== 'ok' || context.isPlanted('endless override') || this.#writing.random() < 0.5)
      return;
    const [oldest] = await listOverrides(centers.first, this.#keys.tuned);
    if (oldest === undefined) return;
    await context.recorder.perform('override', { id: nameOf(oldest), kind: 'end' }, async () => {
      await oldest.end();
      return {};
    });
  }

  async #start(id: string): Promise<void> {
    const { context, centers } = this.#writing;
    const base = this.#writing.random() < BAD ? `bad-${id}` : id;
    await context.recorder.perform('canary', { id, kind: 'start' }, async () => {
      await startCanary(centers.first, this.#keys.tuned, { base }, { ...this.#rule(), comment: id });
      return {};
    });
  }

  async #resize(canary: ConfigCanary, id: string): Promise<void> {
    await this.#writing.context.recorder.perform('canary', { id, kind: 'resize' }, async () => {
      await canary.resize(this.#rule());
      return {};
    });
  }

  async #promote(canary: ConfigCanary, id: string): Promise<void> {
    const input = { id, key: this.#keys.tuned, kind: 'promote' } as const;
    await this.#writing.context.recorder.perform('change', input, async () => {
      await canary.promote({ comment: id });
      return { written: true };
    });
  }

  async #drop(canary: ConfigCanary, id: string): Promise<void> {
    await this.#writing.context.recorder.perform('canary', { id, kind: 'drop' }, async () => {
      if (!(await canary.drop())) throw new Refused('it has changed');
      return {};
    });
  }

  #rule(): CanaryRule {
    return RULES[Math.floor(this.#writing.random() * RULES.length)] ?? {};
  }
}

/** The planted mistake of who keeps it without a lease. */
function endlessOverride(id: string): string {
  const header = { format: 1, contentType: 'json', expiresAt: Date.now() };
  return `${JSON.stringify(header)}\n${JSON.stringify({ over: id })}`;
}

function nameOf({ comment, id }: { readonly comment: string | undefined; readonly id: string }): string {
  return comment ?? id;
}
