export * from '@coord/client';
export * from '@coord/config';
export * from '@coord/config-manager';
export * from '@coord/grpc-resolver';
export * from '@coord/lock';
export * from '@coord/registry';
export { type CloseOnSignalOptions, closeOnSignal } from './close-on-signal.js';
export type {
  CompleteConfigCenter,
  CompleteDistributedLock,
  CompleteRetry,
  CompleteServiceRegistry,
  CoordConfig,
  CoordConfigInput,
} from './config.js';
export { configFromEnv } from './config-from-env.js';
export type { Coordinator } from './coordinator.js';
export { type CoordinatorOptions, createCoordinator } from './create-coordinator.js';
export { defaultConfig, developmentConfig, productionConfig, testConfig } from './presets.js';
export {
  configCenterConfig,
  distributedLockConfig,
  retryConfig,
  serviceRegistryConfig,
} from './section-configs.js';
