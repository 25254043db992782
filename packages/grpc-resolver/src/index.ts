export {
  type ConnectionOptions,
  getConnection,
  type ServiceClientClass,
  type ServiceConnection,
} from './connection.js';
export type { GrpcModule } from './grpc-adapter.js';
export { type ResolverHandle, type ResolverOptions, registerResolver } from './register-resolver.js';
export type { LoadBalanceStrategy } from './service-config.js';
