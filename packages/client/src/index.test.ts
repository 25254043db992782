import { expect, it } from 'vitest';
import * as main from './index.js';
import * as internal from './internal.js';

it('@coord/client exports these names', () => {
  expect(Object.keys(main).sort()).toEqual([
    'AbortedError',
    'AuthError',
    'ClosedError',
    'CompactedError',
    'ConflictError',
    'ConnectionError',
    'CoordError',
    'NotFoundError',
    'PermissionError',
    'ResourceExhaustedError',
    'SessionLostError',
    'TimeoutError',
    'ValidationError',
    'connect',
    'createClient',
  ]);
});

it('@coord/client/internal exports these names', () => {
  expect(Object.keys(internal).sort()).toEqual([
    'Cancellation',
    'ChangeStream',
    'PushIterator',
    'SharedRead',
    'WAIT_NAMES',
    'WAIT_SECONDS',
    'Wait',
    'assertValid',
    'backoffDelayMs',
    'checkFlag',
    'checkFunction',
    'checkKeyPart',
    'checkNames',
    'checkPositiveMs',
    'checkTtlMs',
    'checkWaitFields',
    'checkWaitOptions',
    'counter',
    'createCoordLogger',
    'delay',
    'hasBrand',
    'histogram',
    'internalsOf',
    'isArray',
    'manyMayListen',
    'monotonicNow',
    'prefixEnd',
    'raceAbort',
    'readInput',
    'readOptions',
    'resolveClientOptions',
    'show',
    'upDownCounter',
  ]);
});
