export * from '@coord/client';
export * from '@coord/config';
export * from '@coord/config-manager';
export * from '@coord/grpc-resolver';
export * from '@coord/lock';
export * from '@coord/registry';
export { type CoordConfig, type CoordConfigInput, defaultConfig } from './config.js';
export type { Coordinator } from './coordinator.js';
export { type CoordinatorOptions, createCoordinator } from './create-coordinator.js';
