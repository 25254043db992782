import { ValidationError } from '@coord/client';
import type { RegistryInternals, ServiceConfigStore, StoredServiceConfig } from '@coord/registry/internal';
import type { GrpcModule, ServiceConfigJson } from './grpc-adapter.js';
import { overlay } from './merge-service-config.js';
import {
  type RefusedServiceConfig,
  type ServiceConfigStatus,
  serviceConfigStatus,
} from './service-config-status.js';
import { parseServiceConfig } from './stored-service-config.js';

/**
 * How long calls wait to hear whether a service config is stored: without etcd they go by their own. A copy on the
 * disk is there after a second.
 */
const PATIENCE_MS = 2_000;

/** What a channel is told beside its addresses. */
export interface LiveServiceConfig {
  /** In force. Another object after each change. */
  readonly current: ServiceConfigJson;
  /** Whether calls may go by it: it is known what is stored, or that was waited for in vain. */
  readonly settled: boolean;
  /** Follows what is stored, until `stop`. Idempotent; works again after a `stop`. */
  start(changed: () => void): void;
  stop(): void;
}

/** What the channel needs of a registry's store. */
export type StoredConfigs = Pick<ServiceConfigStore, 'known' | 'get' | 'subscribe' | 'refused'>;

export interface ChannelServiceConfigOptions {
  readonly serviceName: string;
  readonly store: StoredConfigs;
  /** What the channel's user has said. */
  readonly own: ServiceConfigJson;
  /** Fills in what neither the user nor the stored config says. */
  readonly complete: (config: ServiceConfigJson) => ServiceConfigJson;
  /** @throws {ValidationError} when what is stored is no service config */
  readonly parse: (value: Uint8Array) => ServiceConfigJson;
}

/** The service config of one channel: what its user has said, over what is stored beside the service. */
export class ChannelServiceConfig implements LiveServiceConfig {
  readonly #options: ChannelServiceConfigOptions;
  #current: ServiceConfigJson;
  /** The last stored one that was looked at, good or bad. */
  #seen: StoredServiceConfig | undefined;
  #storedRevision: bigint | undefined;
  #refused: RefusedServiceConfig | undefined;
  #unsubscribe: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;
  #settled = false;

  constructor(options: ChannelServiceConfigOptions) {
    this.#options = options;
    this.#current = options.complete(options.own);
  }

  get current(): ServiceConfigJson {
    return this.#current;
  }

  get settled(): boolean {
    return this.#settled;
  }

  get status(): ServiceConfigStatus {
    return serviceConfigStatus(structuredClone(this.#current), this.#storedRevision, this.#refused);
  }

  start(changed: () => void): void {
    if (this.#unsubscribe !== undefined) return;
    const settle = () => {
      this.#settled = true;
      changed();
    };
    const look = () => {
      const before = this.#current;
      if (!this.#options.store.known) return;
      clearTimeout(this.#patience);
      this.#takeOver(this.#options.store.get(this.#options.serviceName));
      if (!this.#settled || this.#current !== before) settle();
    };
    this.#unsubscribe = this.#options.store.subscribe(look);
    look();
    if (!this.#settled) this.#patience = setTimeout(settle, PATIENCE_MS).unref();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    clearTimeout(this.#patience);
  }

  #takeOver(stored: StoredServiceConfig | undefined): void {
    const { store, serviceName, own, complete, parse } = this.#options;
    if (sameVersion(stored, this.#seen)) return;
    this.#seen = stored;
    this.#refused = undefined;
    if (stored === undefined) {
      this.#storedRevision = undefined;
      this.#current = complete(own);
      return;
    }
    try {
      this.#current = complete(overlay(own, parse(stored.value)));
      this.#storedRevision = stored.revision;
    } catch (error) {
      const problem = asValidationError(error);
      this.#refused = { revision: stored.revision, error: problem };
      store.refused(serviceName, stored, problem);
    }
  }
}

function asValidationError(error: unknown): ValidationError {
  if (error instanceof ValidationError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ValidationError([{ path: 'serviceConfig', message }], { cause: error });
}

/** For a channel of this copy of grpc-js to a service. */
export function channelConfig(
  grpc: GrpcModule,
  { serviceConfigs }: RegistryInternals,
  serviceName: string,
  own: ServiceConfigJson,
  complete = (config: ServiceConfigJson) => config,
): ChannelServiceConfig {
  const parse = (value: Uint8Array) => parseServiceConfig(grpc, value);
  return new ChannelServiceConfig({ serviceName, store: serviceConfigs, own, complete, parse });
}

/** The value as well: after a restore from a backup, an old revision may come again with another one. */
function sameVersion(a: StoredServiceConfig | undefined, b: StoredServiceConfig | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.revision === b.revision && Buffer.compare(a.value, b.value) === 0;
}
