/** For the sibling packages only; outside of semantic versioning. */
export { formatHostPort } from './address.js';
export { drainAndServe, readDrainOnSignalOptions } from './drain-on-signal.js';
export { DEFAULT_SIGNAL_TIMEOUT_MS, endOnSignal, type SignalWork } from './end-on-signal.js';
export { decodeHealthStatus, encodeHealthRequest, SERVING } from './grpc-health-codec.js';
export { checkSubset } from './instance-subset.js';
export { type LiveService, type RegistryInternals, registryInternalsOf } from './registry-internals.js';
export type { ServiceConfigStore, StoredServiceConfig } from './service-config-store.js';
