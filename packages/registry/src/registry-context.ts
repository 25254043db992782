import {
  ClosedError,
  type CoordClient,
  type KeyValue,
  TimeoutError,
  ValidationError,
  type WaitOptions,
} from '@coord/client';
import {
  type ClientInternals,
  type CoordLogger,
  internalsOf,
  type Telemetry,
  Wait,
} from '@coord/client/internal';
import { ServiceKeys } from './keys.js';
import type { ResolvedRegistryConfig } from './options.js';
import type { InstanceKey } from './service-codec.js';
import { decodeForeign, decodeInstance, type StoredInstance } from './service-value.js';

/** What the two halves of a registry, registering and discovering, have in common. */
export class RegistryContext {
  readonly client: CoordClient;
  readonly config: ResolvedRegistryConfig;
  readonly keys: ServiceKeys;
  readonly #internals: ClientInternals;
  #closed = false;

  constructor(client: CoordClient, config: ResolvedRegistryConfig) {
    this.client = client;
    this.config = config;
    const { keyPrefix, codec } = config;
    this.keys = new ServiceKeys(keyPrefix, (key) => codec?.isInstance?.(key) ?? true);
    this.#internals = internalsOf(client);
  }

  get logger(): CoordLogger {
    return this.#internals.logger;
  }

  get telemetry(): Telemetry {
    return this.#internals.telemetry;
  }

  /** From here on nothing new begins. */
  close(): void {
    this.#closed = true;
  }

  get closed(): boolean {
    return this.#closed;
  }

  assertOpen(): void {
    if (this.#closed) throw new ClosedError('the registry has been closed');
  }

  /** @throws {ValidationError} when this registry is of another system's instances */
  assertWritable(): void {
    const { codec } = this.config;
    if (codec === undefined) return;
    throw new ValidationError([
      { path: 'codec', message: `a registry of ${codec.name} instances only reads` },
    ]);
  }

  /** Whose key it is; undefined for one of any other shape, and for one that is not text: it would pass for another's. */
  keyOf({ key, rawKey }: KeyValue): InstanceKey | undefined {
    const isText = !key.includes('\ufffd') || Buffer.from(key).equals(rawKey);
    return isText ? this.keys.parse(key) : undefined;
  }

  /** The instance at a key; undefined for what is none. @throws when the value is not readable */
  decode(kv: KeyValue): StoredInstance | undefined {
    const key = this.keyOf(kv);
    const { codec } = this.config;
    if (key === undefined) return undefined;
    return codec ? decodeForeign(kv, key, codec) : decodeInstance(kv, key.serviceName, key.instanceId);
  }

  /** A caller's wait for etcd: without `timeoutMs`, for the client's `requestTimeoutMs`. */
  wait(options: WaitOptions | undefined, what: string): Wait {
    const timeoutMs = options?.timeoutMs ?? this.#internals.options.requestTimeoutMs;
    return new Wait(
      { signal: options?.signal, timeoutMs },
      what,
      (ms) => new TimeoutError(`${what}: etcd did not answer within ${ms} ms`, { timeoutMs: ms }),
    );
  }
}
