export type { ServiceRegistryConfig } from './options.js';
export type { Registration, RegistrationState } from './registration.js';
export { createRegistry } from './registry.js';
export type { HealthStatus, ServiceInfo, ServiceRegistration } from './service-info.js';
export type {
  DiscoverOptions,
  InstanceSelection,
  RegisterOptions,
  ServiceRegistry,
} from './service-registry.js';
export type { InstancesWatch, ServiceEvent, ServiceWatch } from './service-watch.js';
