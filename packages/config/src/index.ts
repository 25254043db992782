export { createConfigCenter } from './config-center.js';
export type {
  Annotations,
  ConfigCenter,
  DeleteConfigOptions,
  GetConfigOptions,
  HistoryOptions,
  ListConfigOptions,
  RollbackConfigOptions,
  SetConfigOptions,
  WatchConfigOptions,
  WriteConfigOptions,
} from './config-center-types.js';
export type { ConfigChange, ConfigWatch } from './config-change.js';
export type { ConfigValue } from './config-value.js';
export { VersionConflictError } from './errors.js';
export type { ConfigVersion } from './history.js';
export type { ConfigKeyPage } from './list.js';
export type { ConfigOperation } from './meta.js';
export type { ConfigCenterConfig } from './options.js';
export type { Precondition } from './precondition.js';
