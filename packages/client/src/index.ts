export type { CacheChange, CacheOptions, CacheSource, CacheUpdate, WatchCache } from './cache.js';
export type { CoordClient, PingResult } from './client.js';
export { connect, createClient } from './connect.js';
export {
  AbortedError,
  AuthError,
  ClosedError,
  CompactedError,
  ConflictError,
  ConnectionError,
  CoordError,
  type CoordErrorOptions,
  type EndpointFailure,
  NotFoundError,
  type Outcome,
  PermissionError,
  ResourceExhaustedError,
  SessionLostError,
  TimeoutError,
  ValidationError,
  type ValidationIssue,
} from './errors.js';
export type { EndpointHealth, Health } from './health.js';
export type { KeyValue } from './key-value.js';
export type * from './kv.js';
export type { Logger, LogLevel } from './logger.js';
export type { ClientOptions, RetryOptions, TlsOptions } from './options.js';
export type { Key, Range } from './range.js';
export type { Session, SessionOptions, SessionState } from './session.js';
export type { Watch, WatchBatch, WatchEvent, WatchOptions } from './watch.js';
