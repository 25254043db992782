/** For the sibling packages only; outside of semantic versioning. */
export type { Meter } from '@opentelemetry/api';
export { type Backoff, backoffDelayMs, delay } from './backoff.js';
export { Cancellation } from './cancellation.js';
export { ChangeStream } from './change-stream.js';
export { monotonicNow } from './clock.js';
export { hasBrand } from './errors.js';
export { type ClientInternals, internalsOf, type SessionRef } from './internals.js';
export { type CoordLogger, createCoordLogger, type LogFields } from './logger.js';
export { manyMayListen } from './many-may-listen.js';
export { checkNames, type NamesOf, type OptionNames } from './option-names.js';
export { resolveClientOptions } from './options.js';
export { PushIterator } from './push-iterator.js';
export { prefixEnd } from './range.js';
export { SharedRead } from './shared-read.js';
export {
  type Counter,
  counter,
  type Histogram,
  histogram,
  type MetricDefinition,
  upDownCounter,
  WAIT_SECONDS,
} from './telemetry/metric-definition.js';
export type { Observer, Operation, Subject } from './telemetry/observer.js';
export type { Telemetry } from './telemetry/telemetry.js';
export {
  assertValid,
  checkFlag,
  checkFunction,
  checkKeyPart,
  checkPositiveMs,
  checkTtlMs,
  checkWaitFields,
  checkWaitOptions,
  type IssueList,
  isArray,
  readInput,
  readOptions,
  show,
  WAIT_NAMES,
} from './validation.js';
export { raceAbort, Wait } from './wait.js';
