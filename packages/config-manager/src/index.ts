export { type AppliedConfig, type AppliedInstance, appliedConfig } from './applied-config.js';
export { type CanaryOptions, type ConfigCanary, getCanary, startCanary } from './canary.js';
export type { CanaryRule } from './canary-record.js';
export { createConfigManager } from './config-manager.js';
export type {
  AppliedLayer,
  ConfigErrorSource,
  ConfigManager,
  ConfigManagerEvent,
  ConfigManagerState,
  ConfigManagerStatus,
  ConfigRejection,
  ConfigSource,
  RejectionPhase,
} from './config-manager-types.js';
export type { ConfigExplanation, ConfigPath, LayerValue } from './explain.js';
export type { ConfigLayer } from './layer.js';
export type {
  ConfigManagerOptions,
  ConfigUpdater,
  ConfigValidator,
  TwoPhaseUpdater,
  UpdateContext,
  UpdateFunction,
  ValidatorResult,
} from './options.js';
export {
  type ConfigOverride,
  listOverrides,
  type OverrideConfigOptions,
  overrideConfig,
} from './override-config.js';
