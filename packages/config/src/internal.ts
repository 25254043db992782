/** For the sibling packages only; outside of semantic versioning. */
export { type Content, type ContentType, decodeContent, encodeContent } from './content.js';
export { type ConfigCenterInternals, internalsOfCenter } from './internals.js';
export { isPlainObject } from './json-encode.js';
export { applySchema, type ConfigSchema, checkSchema, schemaError } from './schema.js';
