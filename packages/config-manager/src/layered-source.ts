import type { KeyValue, Range, WatchCache } from '@coord/client';
import { backoffDelayMs, delay, raceAbort } from '@coord/client/internal';
import type { ConfigWatch } from '@coord/config';
import { type ConfigCenterInternals, isOutage } from '@coord/config/internal';
import { canaryKey, canaryPart, type InstanceTraits } from './canary-record.js';
import { Candidate } from './candidate.js';
import type { ConfigSource } from './config-source.js';
import { keepWatching } from './keep-watching.js';
import type { KeySourceCallbacks } from './key-source.js';
import { type ConfigLayer, isMain, toLayerPart } from './layer.js';
import { overrideParts, overridePrefix } from './override-record.js';

/** The keys of a manager, the lowest layer first. */
export interface LayerKeys {
  readonly keys: readonly { readonly layer: ConfigLayer; readonly key: string }[];
  /** The key whose overrides are followed. */
  readonly overridesOf: string | undefined;
  /** The key whose canary is followed. */
  readonly canaryOf: string | undefined;
  readonly traits: InstanceTraits;
}

const OUTAGE = { initialDelayMs: 50, maxDelayMs: 2_000, multiplier: 2 };
const REFUSED = { initialDelayMs: 1_000, maxDelayMs: 30_000, multiplier: 2 };

/**
 * Follows several layers. Each has a watch, which only says that there is something new: all layers are
 * then read in one transaction, so what one release changed in several of them is seen as a whole.
 */
export class LayeredSource implements ConfigSource {
  readonly #center: ConfigCenterInternals;
  readonly #layers: LayerKeys;
  readonly #callbacks: KeySourceCallbacks;
  readonly #stop = new AbortController();
  readonly #watches = new Map<string, ConfigWatch>();
  readonly #watching: Promise<void>[];
  /** Of canary and overrides: what the centre has no watch for. */
  readonly #copies = new Map<string, WatchCache<KeyValue>>();
  readonly #records: { readonly canary: string | undefined; readonly overrides: string | undefined };
  /** Reads follow one another, so that the answer of an earlier one is never told after that of a later one. */
  #turn: Promise<void> = Promise.resolve();
  #wanted = false;
  #reading: Promise<void> | undefined;

  constructor(center: ConfigCenterInternals, layers: LayerKeys, callbacks: KeySourceCallbacks) {
    this.#center = center;
    this.#layers = layers;
    this.#callbacks = callbacks;
    const { signal } = this.#stop;
    this.#watching = layers.keys.map(({ key }) => {
      const open = () => {
        const watch = center.watchShared(key);
        this.#watches.set(key, watch);
        return watch;
      };
      return keepWatching(open, () => this.#somethingNew(), callbacks.onError, signal);
    });
    const { recordRoot } = center;
    const { canaryOf, overridesOf } = layers;
    this.#records = {
      canary: canaryOf === undefined ? undefined : canaryKey(recordRoot, canaryOf),
      overrides: overridesOf === undefined ? undefined : overridePrefix(recordRoot, overridesOf),
    };
    for (const range of this.#ranges) {
      const open = () => this.#recordChanges(range);
      this.#watching.push(keepWatching(open, () => this.#somethingNew(), callbacks.onError, signal));
    }
  }

  get live(): boolean {
    return (
      this.#layers.keys.every(({ key }) => this.#watches.get(key)?.live === true) &&
      this.#ranges.every((range) => this.#copies.get(nameOf(range))?.source === 'live')
    );
  }

  refresh(): Promise<void> {
    return this.#readInTurn();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#watches.values()].map((watch) => watch.close()));
    await Promise.all([...this.#copies.values()].map((copy) => copy.close()));
    await Promise.all(this.#watching);
    await this.#reading;
    await this.#turn;
  }

  #somethingNew(): void {
    this.#wanted = true;
    this.#reading ??= this.#readUntilNothingIsNew();
  }

  /** Goes on until etcd answers: a change that has been seen must be told. */
  async #readUntilNothingIsNew(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 0; this.#wanted && !signal.aborted; ) {
      this.#wanted = false;
      try {
        await this.#readInTurn();
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        this.#wanted = true;
        const outage = isOutage(error);
        if (!outage) this.#callbacks.onError(error);
        await delay(backoffDelayMs(++failures, outage ? OUTAGE : REFUSED), signal).catch(() => undefined);
      }
    }
    this.#reading = undefined;
  }

  #readInTurn(): Promise<void> {
    const reading = this.#turn.then(() => this.#read());
    this.#turn = reading.catch(() => undefined);
    return reading;
  }

  async #read(): Promise<void> {
    const { signal } = this.#stop;
    signal.throwIfAborted();
    const { keys, traits } = this.#layers;
    const names = keys.map(({ key }) => key);
    const { changes, others } = await this.#center.readTogether(names, this.#ranges, signal);
    const parts = keys.flatMap(({ layer }, index) => {
      const change = changes[index];
      return change === undefined ? [] : [toLayerPart(layer, change)];
    });
    const version = parts.find(isMain)?.version ?? 0;
    const records = [...others];
    const canary =
      this.#records.canary === undefined ? [] : canaryPart(records.shift()?.[0], traits, version);
    const overrides = overrideParts(records.shift() ?? [], traits.instance);
    const above = parts.findIndex(({ layer }) => layer === 'instance');
    this.#callbacks.onCandidate(
      new Candidate('remote', [
        ...parts.toSpliced(above < 0 ? parts.length : above, 0, ...canary),
        ...overrides,
      ]),
    );
  }

  /** Of the records, in the order in which they are read. */
  get #ranges(): readonly Range[] {
    const { canary, overrides } = this.#records;
    return [
      ...(canary === undefined ? [] : [canary]),
      ...(overrides === undefined ? [] : [{ prefix: overrides }]),
    ];
  }

  async *#recordChanges(range: Range): AsyncGenerator<undefined> {
    const copy = this.#center.client.cache(range, { decode: (kv: KeyValue) => kv });
    this.#copies.set(nameOf(range), copy);
    try {
      await raceAbort(copy.ready, this.#stop.signal);
      const changes = copy.changes();
      yield; // what there is already
      for await (const _ of changes) yield;
    } finally {
      await copy.close();
    }
  }
}

function nameOf(range: Range): string {
  return JSON.stringify(range);
}
