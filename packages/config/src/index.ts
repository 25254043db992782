export { createConfigCenter } from './config-center.js';
export type {
  AdoptConfigOptions,
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
export type { ConfigFormat } from './content.js';
export type {
  ConfigDiff,
  JsonConfigDiff,
  JsonDifference,
  TextConfigDiff,
  TextRun,
  WholeConfigDiff,
} from './diff-types.js';
export { VersionConflictError } from './errors.js';
export type { ConfigVersion } from './history.js';
export type { JsonSchema } from './json-schema.js';
export type { EncryptionConfig } from './keyring.js';
export type { ConfigKeyPage } from './list.js';
export type { ConfigOperation } from './meta.js';
export type { ConfigCenterConfig } from './options.js';
export type { Precondition } from './precondition.js';
export type {
  ConfigRelease,
  ListReleasesOptions,
  PublishChange,
  PublishDelete,
  PublishOptions,
  PublishPut,
  ReleaseChange,
  RevertOptions,
} from './release-types.js';
