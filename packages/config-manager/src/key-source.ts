import { NotFoundError, TimeoutError, ValidationError } from '@coord/client';
import { Wait } from '@coord/client/internal';
import type { ConfigCenter, ConfigWatch } from '@coord/config';
import { Candidate } from './candidate.js';
import type { ConfigSource, SourceCallbacks } from './config-source.js';
import { keepWatching } from './keep-watching.js';
import { type LayerPart, toLayerPart } from './layer.js';
import { Pulse } from './pulse.js';

export interface KeySourceCallbacks extends SourceCallbacks {
  readonly onCandidate: (candidate: Candidate) => void;
}

/** Follows one key: each of its changes is a candidate, as the watch tells it. */
export class KeySource implements ConfigSource {
  readonly #config: ConfigCenter;
  readonly #key: string;
  readonly #stop = new AbortController();
  readonly #told = new Pulse();
  readonly #done: Promise<void>;
  #latest: LayerPart | undefined;
  #watch: ConfigWatch | undefined;

  /** @param watch opens a watch of the key that begins with what is there */
  constructor(
    config: ConfigCenter,
    key: string,
    watch: () => ConfigWatch,
    { onCandidate, onError }: KeySourceCallbacks,
  ) {
    this.#config = config;
    this.#key = key;
    const open = () => {
      this.#watch = watch();
      return this.#watch;
    };
    this.#done = keepWatching(
      open,
      (change) => {
        this.#latest = toLayerPart('service', change);
        onCandidate(new Candidate('remote', [this.#latest]));
        this.#told.fire();
      },
      onError,
      this.#stop.signal,
    );
  }

  get live(): boolean {
    return this.#watch?.live === true;
  }

  async refresh(signal: AbortSignal, timeoutMs: number): Promise<void> {
    const where = `config "${this.#key}"`;
    using wait = new Wait({ timeoutMs, signal }, `${where}: reload`, (ms) => {
      return new TimeoutError(`${where}: the watch did not catch up within ${ms} ms`, { timeoutMs: ms });
    });
    for (;;) {
      const told = this.#told.next();
      const revision = await this.#revisionInEtcd();
      if (revision === undefined) return; // it is there, but unreadable: the watch says so, too
      if (this.#latest !== undefined && isCurrent(this.#latest, revision)) return;
      await wait.race(told);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watch?.close();
    await this.#done;
  }

  /** The revision of the present value; 0n = absent; undefined = there, but unreadable. */
  async #revisionInEtcd(): Promise<bigint | undefined> {
    try {
      return (await this.#config.get(this.#key)).revision;
    } catch (error) {
      if (error instanceof NotFoundError) return 0n;
      if (error instanceof ValidationError) return undefined;
      throw error;
    }
  }
}

/** @param revision in etcd; 0n = absent */
function isCurrent(told: LayerPart, revision: bigint): boolean {
  return revision === 0n ? told.content.kind === 'absent' : told.revision >= revision;
}
