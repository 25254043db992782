export { type DrainOnSignalOptions, drainOnSignal } from './drain-on-signal.js';
export type { DrainOptions } from './drain-options.js';
export type { EndOnSignalOptions, SignalDrain } from './end-on-signal.js';
export { type GoKratosCodecOptions, goKratosCodec } from './go-kratos-codec.js';
export { goZeroCodec } from './go-zero-codec.js';
export type {
  FunctionHealthCheck,
  GrpcHealthCheck,
  HealthCheck,
  HealthCheckFunction,
  HealthCheckLimits,
  ProbeTarget,
  TcpHealthCheck,
} from './health-check.js';
export type { InstanceSelection } from './instance-selection.js';
export { type SubsetOptions, subsetOf } from './instance-subset.js';
export type { InstancesWatch } from './instances-watch.js';
export type { ServiceRegistryConfig } from './options.js';
export type { Registration, RegistrationState } from './registration.js';
export { createRegistry } from './registry.js';
export type { InstanceFields, InstanceKey, ServiceCodec } from './service-codec.js';
export type { HealthStatus, ServiceInfo, ServiceRegistration } from './service-info.js';
export type { DiscoverOptions, RegisterOptions, ServiceRegistry } from './service-registry.js';
export type { ServiceStatus } from './service-status.js';
export type { ServiceEvent, ServiceWatch } from './service-watch.js';
