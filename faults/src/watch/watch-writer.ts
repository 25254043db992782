import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient, Op } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { untilItWorks } from './until-it-works.js';
import {
  asidePrefix,
  FLOOD,
  FLOOD_BEGINS,
  FLOOD_ENDS,
  GONE,
  GROUPS,
  IDLE,
  LAST,
  watchPrefix,
} from './watch-names.js';
import type { WatchShapes } from './watch-operations.js';

/** In each group. */
const KEYS = 40;
/** etcd takes 128 at most. */
const MOST_OPS = 100;
/** So many write at the same time, each waiting for its answers: an outage that one has to sit out is not that of all. */
const WRITERS = 8;
/** The pace: some watchers are slower. */
const PAUSE_MS = 60;
/** Calls that are under way at the same time, so that the client may send several in one request. */
const BURST = 20;
const FLOOD_EACH_MS = 6_000;
/** 6 MB: more than the 4 MiB that gRPC takes in one message by default. */
const FLOOD_REVISIONS = 6;
const FLOOD_KEYS = 10;
const FLOOD_BYTES = 100_000;

/** Puts and deletes, one key, a few or many at once, now and then much at once; and at the end the last transaction. */
export async function writeAll(context: WorkerContext<WatchShapes>, client: CoordClient): Promise<void> {
  const { stopped } = context;
  const writer = new Writer(context, client);
  const writeOn = async () => {
    while (!stopped.aborted) {
      await writer.write();
      await sleep(PAUSE_MS);
    }
  };
  const floodOn = async () => {
    while (!stopped.aborted) {
      await sleep(FLOOD_EACH_MS, undefined, { signal: stopped }).catch(() => undefined);
      if (!stopped.aborted) await writer.flood();
    }
  };
  await Promise.all([...Array.from({ length: WRITERS }, writeOn), floodOn()]);
  await writer.end();
}

class Writer {
  readonly #context: WorkerContext<WatchShapes>;
  readonly #kv: CoordClient['kv'];
  readonly #run: string;

  constructor(context: WorkerContext<WatchShapes>, { kv }: CoordClient) {
    this.#context = context;
    this.#kv = kv;
    this.#run = context.assignment.run;
  }

  async write(): Promise<void> {
    const kind = this.#context.random();
    if (kind < 0.35) await this.#txn([this.#change(this.#someKey())]);
    else if (kind < 0.6) await this.#txn(this.#changes(2 + this.#below(8)));
    else if (kind < 0.95) await this.#txn(this.#changes(2 + this.#below(MOST_OPS - 1)));
    else if (kind < 0.98) await this.#burst();
    else await this.#txn([{ delete: { prefix: watchPrefix(this.#run, this.#below(GROUPS)) } }]);
  }

  /** Who watches it from its beginning gets all of it at once; afterwards its keys are gone. */
  async flood(): Promise<void> {
    const prefix = asidePrefix(this.#run, FLOOD);
    const value = 'f'.repeat(FLOOD_BYTES);
    await this.#txn([{ put: { key: `${prefix}${FLOOD_BEGINS}`, value: '' } }]);
    for (let i = 0; i < FLOOD_REVISIONS; i++) {
      const keys = Array.from({ length: FLOOD_KEYS }, (_, j) => `${prefix}${i}-${j}`);
      await this.#txn(keys.map((key) => ({ put: { key, value: `${value}${this.#below(1e9)}` } })));
    }
    await this.#txn([
      { put: { key: `${prefix}${FLOOD_ENDS}`, value: '' } },
      ...Array.from({ length: FLOOD_REVISIONS }, (_, i) => ({ delete: { prefix: `${prefix}${i}-` } })),
    ]);
  }

  /** Every watch hears of the last transaction, whatever it leaves out. */
  async end(): Promise<void> {
    const prefixes = [
      ...Array.from({ length: GROUPS }, (_, group) => watchPrefix(this.#run, group)),
      ...[asidePrefix(this.#run, FLOOD), asidePrefix(this.#run, IDLE)],
    ];
    const gone = prefixes.map((prefix) => ({ put: { key: `${prefix}${GONE}`, value: '' } }));
    await this.#beforeTheLast(gone);
    const last = prefixes.flatMap((prefix) => [
      { put: { key: `${prefix}${LAST}`, value: '' } },
      { delete: `${prefix}${GONE}` },
    ]);
    await this.#beforeTheLast(last);
  }

  /** Once at the most: one that is tried again may have been done. */
  async #beforeTheLast(success: readonly Op[]): Promise<void> {
    const key = `${asidePrefix(this.#run, IDLE)}${LAST}`;
    const compare = [{ key, target: 'version', is: '=', to: 0 }] as const;
    await untilItWorks(() => this.#kv.txn({ compare, success }));
  }

  async #burst(): Promise<void> {
    await Promise.all(Array.from({ length: BURST }, () => this.#txn([this.#change(this.#someKey())])));
  }

  async #txn(success: readonly Op[]): Promise<void> {
    await this.#context.recorder.perform('write', {}, async () => ({
      revision: Number((await this.#kv.txn({ success })).revision),
    }));
  }

  #changes(count: number): Op[] {
    const keys = new Set(Array.from({ length: count }, () => this.#someKey()));
    return [...keys].map((key) => this.#change(key));
  }

  #change(key: string): Op {
    const random = this.#context.random();
    if (random < 0.2) return { delete: key };
    const length = random > 0.999 ? 20_000 : this.#below(60);
    return { put: { key, value: `${'v'.repeat(length)}${this.#below(1e9)}` } };
  }

  #someKey(): string {
    return `${watchPrefix(this.#run, this.#below(GROUPS))}${this.#below(KEYS)}`;
  }

  #below(count: number): number {
    return Math.floor(this.#context.random() * count);
  }
}
