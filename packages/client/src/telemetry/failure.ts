import { CoordError, type Outcome, ValidationError } from '../errors.js';
import { quietly } from './quietly.js';

/** What is said of a failure in spans, metrics and the log. */
export interface Failure {
  /** The error's code; the class name of an error that is not Coord's. */
  readonly type: string;
  /** The same, from a set that does not grow with the errors of an application. */
  readonly boundedType: string;
  readonly outcome: Outcome | undefined;
  /** Absent where it might quote what nobody else is to read. */
  readonly message: string | undefined;
  /** An answer that callers reckon with, rather than trouble. */
  readonly expected: boolean;
}

/** Somebody else was first, it is not there, the input was bad, or the caller does not want it any more. */
const EXPECTED = new Set([
  'COORD_ABORTED',
  'COORD_CLOSED',
  'COORD_CONFLICT',
  'COORD_LOCK_CONFLICT',
  'COORD_NOT_FOUND',
  'COORD_VALIDATION',
  'COORD_VERSION_CONFLICT',
]);

/** https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/#error-type */
const OTHER = '_OTHER';

export function failureOf(error: unknown): Failure {
  return quietly(() => describe(error)) ?? FOREIGN; // anything can be thrown, also what throws when it is looked at
}

const FOREIGN: Failure = {
  type: OTHER,
  boundedType: OTHER,
  outcome: undefined,
  message: undefined,
  expected: false,
};

function describe(error: unknown): Failure {
  if (!CoordError.is(error)) {
    // Whoever threw it may have put anything into its message.
    return error instanceof Error ? { ...FOREIGN, type: String(error.name) } : FOREIGN;
  }
  const { code, outcome } = error;
  const message = error instanceof ValidationError ? undefined : error.message; // issues may quote the input
  return { type: code, boundedType: code, outcome, message, expected: EXPECTED.has(code) };
}
