export type { Registration, RegistrationState } from './instance-registration.js';
export type { ServiceRegistryConfig } from './options.js';
export {
  createRegistry,
  type DiscoverOptions,
  type InstanceSelection,
  type RegisterOptions,
  type ServiceRegistry,
} from './registry.js';
export type { HealthStatus, ServiceInfo, ServiceRegistration } from './service-info.js';
export type { InstancesWatch, ServiceEvent, ServiceWatch } from './service-watch.js';
