import type { CacheUpdate, WaitOptions } from '@coord/client';
import { monotonicNow } from '@coord/client/internal';
import { followCache } from './follow-cache.js';
import type { RegistryContext } from './registry-context.js';
import { DELETE_SERVICE_CONFIG, GET_SERVICE_CONFIG, SET_SERVICE_CONFIG } from './registry-operations.js';
import { snapshotFileFor } from './service-cache.js';

/** A service config as it is stored: whoever wrote it, nobody has looked into it yet. */
export interface StoredServiceConfig {
  readonly value: Uint8Array;
  readonly revision: bigint;
}

/**
 * What is kept beside the services for those who call them. What is in it is for the gRPC resolver to know.
 * One watch follows the configs of all services, from the first use on.
 */
export class ServiceConfigStore {
  readonly #context: RegistryContext;
  readonly #listeners = new Set<() => void>();
  readonly #refused = new WeakSet<StoredServiceConfig>();
  readonly #ended = new AbortController();
  #following = false;
  #known = false;
  /** By key. */
  #stored = new Map<string, StoredServiceConfig>();

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** Whether it is known what is stored, or that it cannot be read; until then `get` means nothing. */
  get known(): boolean {
    return this.#known;
  }

  /** As it was last seen; undefined when nothing is stored. */
  get(serviceName: string): StoredServiceConfig | undefined {
    return this.#stored.get(this.#context.keys.serviceConfig(serviceName));
  }

  /** Calls back when anything stored has changed, for any service. @returns the function that ends it */
  subscribe(listener: () => void): () => void {
    this.#follow();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks etcd. */
  read(serviceName: string, options?: WaitOptions): Promise<StoredServiceConfig | undefined> {
    const { telemetry, keys } = this.#context;
    const read = () => this.#read(serviceName, options);
    return telemetry.operations.observe(GET_SERVICE_CONFIG, { key: keys.serviceConfig(serviceName) }, read);
  }

  async #read(
    serviceName: string,
    options: WaitOptions | undefined,
  ): Promise<StoredServiceConfig | undefined> {
    const { client, keys } = this.#context;
    this.#context.assertOpen();
    using wait = this.#context.wait(options, `get the service config of "${serviceName}"`);
    try {
      const kv = await client.kv.get(keys.serviceConfig(serviceName), { signal: wait.signal });
      return kv && { value: kv.value, revision: kv.modRevision };
    } catch (error) {
      throw wait.errorFor(error);
    }
  }

  write(serviceName: string, value: string, options?: WaitOptions): Promise<bigint> {
    const { client, keys } = this.#context;
    const key = keys.serviceConfig(serviceName);
    const set = () =>
      this.#change('service config set', key, options, (signal) => client.kv.put(key, value, { signal }));
    return this.#context.telemetry.operations.observe(SET_SERVICE_CONFIG, { key }, set);
  }

  delete(serviceName: string, options?: WaitOptions): Promise<bigint> {
    const { client, keys } = this.#context;
    const key = keys.serviceConfig(serviceName);
    const remove = () =>
      this.#change('service config deleted', key, options, (signal) => client.kv.delete(key, { signal }));
    return this.#context.telemetry.operations.observe(DELETE_SERVICE_CONFIG, { key }, remove);
  }

  /** Tells the log, once for each version, that calls do not go by what is stored. */
  refused(serviceName: string, stored: StoredServiceConfig, error: unknown): void {
    if (this.#refused.has(stored)) return;
    this.#refused.add(stored);
    const key = this.#context.keys.serviceConfig(serviceName);
    const { revision } = stored;
    this.#context.logger.warn('service config refused: the last good one stays', { key, revision, error });
  }

  close(): void {
    this.#ended.abort();
    this.#listeners.clear();
  }

  #follow(): void {
    if (this.#following || this.#ended.signal.aborted) return;
    this.#following = true;
    const prefix = this.#context.keys.serviceConfigPrefix;
    const follower = {
      open: () =>
        this.#context.client.cache<StoredServiceConfig>(
          { prefix },
          {
            decode: ({ value, modRevision }) => ({ value, revision: modRevision }),
            snapshotFile: snapshotFileFor(this.#context, prefix),
          },
        ),
      replace: (entries: ReadonlyMap<string, StoredServiceConfig>) => {
        this.#stored = new Map(entries);
        this.#publish();
      },
      apply: ({ changes }: CacheUpdate<StoredServiceConfig>) => {
        for (const { key, value } of changes) {
          if (value === undefined) this.#stored.delete(key);
          else this.#stored.set(key, value);
        }
        this.#publish();
      },
      failed: (error: unknown) => {
        this.#context.logger.warn('service configs not followed', { prefix, error });
        this.#publish(); // calls do not wait for what cannot be read
      },
    };
    followCache(follower, this.#ended.signal).catch(() => undefined);
  }

  #publish(): void {
    this.#known = true;
    for (const listener of [...this.#listeners]) listener();
  }

  async #change(
    what: string,
    key: string,
    options: WaitOptions | undefined,
    change: (signal: AbortSignal) => Promise<{ readonly revision: bigint }>,
  ): Promise<bigint> {
    this.#context.assertOpen();
    const startedAt = monotonicNow();
    using wait = this.#context.wait(options, `${what}: ${key}`);
    try {
      const { revision } = await change(wait.signal);
      const durationMs = Math.round(monotonicNow() - startedAt);
      this.#context.logger.info(what, { key, revision, durationMs });
      return revision;
    } catch (error) {
      throw wait.errorFor(error);
    }
  }
}
