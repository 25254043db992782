export { createConfigManager } from './config-manager.js';
export type {
  ConfigErrorSource,
  ConfigManager,
  ConfigManagerEvent,
  ConfigManagerState,
  ConfigManagerStatus,
  ConfigRejection,
  ConfigSource,
  RejectionPhase,
} from './config-manager-types.js';
export type {
  ConfigManagerOptions,
  ConfigUpdater,
  ConfigValidator,
  TwoPhaseUpdater,
  UpdateContext,
  UpdateFunction,
  ValidatorResult,
} from './options.js';
