export type { ServiceRegistryConfig } from './options.js';
export type { Registration, RegistrationState } from './registration.js';
export {
  createRegistry,
  type DiscoverOptions,
  type InstanceSelection,
  type RegisterOptions,
  type ServiceRegistry,
} from './registry.js';
export type { HealthStatus, ServiceInfo, ServiceRegistration } from './service-info.js';
export type { InstancesWatch, ServiceEvent, ServiceWatch } from './service-watch.js';
