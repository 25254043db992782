/** For the sibling packages only; outside of semantic versioning. */
export { formatHostPort } from './address.js';
export { decodeHealthStatus, encodeHealthRequest, SERVING } from './grpc-health-codec.js';
export { checkSubset } from './instance-subset.js';
export { type LiveService, type RegistryInternals, registryInternalsOf } from './registry-internals.js';
export type { ServiceConfigStore, StoredServiceConfig } from './service-config-store.js';
