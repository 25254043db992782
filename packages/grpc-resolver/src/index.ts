export { getConnection, type ServiceClientClass, type ServiceConnection } from './connection.js';
export type { ConnectionOptions } from './connection-options.js';
export type { FollowOptions } from './follow-options.js';
export type { GrpcModule } from './grpc-adapter.js';
export { type ResolverHandle, type ResolverOptions, registerResolver } from './register-resolver.js';
export type * from './service-config.js';
export type { RefusedServiceConfig, ServiceConfigStatus } from './service-config-status.js';
export {
  deleteServiceConfig,
  getServiceConfig,
  type ServiceConfigEntry,
  type StoreOptions,
  setServiceConfig,
} from './stored-service-config.js';
export type { LoadBalanceStrategy } from './strategy.js';
