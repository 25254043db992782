/** For the sibling packages only; outside of semantic versioning. */
export { type Content, type ContentType, decodeContent, encodeContent } from './content.js';
export { deepFreeze } from './deep-freeze.js';
export { type ConfigCenterInternals, internalsOfCenter } from './internals.js';
export { isOutage } from './join-changes.js';
export { isPlainObject } from './json-encode.js';
export { normalizeKey } from './key-layout.js';
export type { Keyring } from './keyring.js';
export type { ReadTogether } from './read-together.js';
export { applySchema, type ConfigSchema, checkSchema, schemaError } from './schema.js';
