import { type CoordLogger, hasBrand, type Telemetry } from '@coord/client/internal';
import type { ServiceConfigStore } from './service-config-store.js';
import type { ServiceInfo } from './service-info.js';
import type { ServiceRegistry } from './service-registry.js';

/** The live list of one service, for a name resolver. */
export interface LiveService {
  /** The healthy instances, as far as they are believed; undefined until etcd has been read once. */
  readonly healthy: readonly ServiceInfo[] | undefined;
  /** Why the list will not change any more; undefined while it may. */
  readonly failure: unknown;
  /** The registry has been closed. */
  readonly closed: boolean;
  /** How old the list is, for error messages. */
  describe(): string;
  /** Calls back after each change, and when the list fails; returns the function that ends it. */
  subscribe(listener: () => void): () => void;
}

/** What the sibling packages may use of a registry, beyond its public face. */
export interface RegistryInternals {
  /** @throws {ClosedError} when the registry is closed */
  assertOpen(): void;
  readonly logger: CoordLogger;
  readonly telemetry: Telemetry;
  /** The shared live list of a service. @throws {ClosedError} when the registry is closed */
  view(serviceName: string): LiveService;
  readonly serviceConfigs: ServiceConfigStore;
}

export const REGISTRY_INTERNALS: unique symbol = Symbol.for('@coord/registry.internals');

/** The internals of a registry that `createRegistry` made; undefined for anything else. */
export function registryInternalsOf(registry: ServiceRegistry): RegistryInternals | undefined {
  return hasBrand(registry, REGISTRY_INTERNALS)
    ? (registry[REGISTRY_INTERNALS] as RegistryInternals)
    : undefined;
}
