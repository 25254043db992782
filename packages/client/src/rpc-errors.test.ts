import { describe, expect, it } from 'vitest';
import { ClosedError, type Outcome, TimeoutError } from './errors.js';
import { type Remedy, type RpcContext, translateRpcError } from './rpc-errors.js';

const context: RpcContext = {
  method: 'put',
  endpoint: 'http://e:1',
  timeoutMs: 100,
  refused: 'not-applied',
  lost: 'unknown',
};
const grpcError = (code: number, details: string) => Object.assign(new Error(details), { code, details });

describe('translateRpcError', () => {
  it.each<[number, string, string, Outcome, Remedy, boolean]>([
    [16, 'etcdserver: invalid auth token', 'AuthError', 'not-applied', 'reauthenticate', false],
    [3, 'etcdserver: user name is empty', 'AuthError', 'not-applied', 'reauthenticate', false],
    [3, 'etcdserver: revision of auth store is old', 'AuthError', 'not-applied', 'reauthenticate', false],
    [
      3,
      'etcdserver: authentication failed, invalid user ID or password',
      'AuthError',
      'not-applied',
      'none',
      false,
    ],
    [3, 'etcdserver: request is too large', 'ResourceExhaustedError', 'not-applied', 'none', false],
    [3, 'etcdserver: duplicate key given in txn request', 'ValidationError', 'not-applied', 'none', false],
    [7, 'etcdserver: permission denied', 'PermissionError', 'not-applied', 'none', false],
    [5, 'etcdserver: requested lease not found', 'NotFoundError', 'not-applied', 'none', false],
    [
      11,
      'etcdserver: mvcc: required revision has been compacted',
      'CompactedError',
      'not-applied',
      'none',
      false,
    ],
    [
      11,
      'etcdserver: mvcc: required revision is a future revision',
      'CoordError',
      'not-applied',
      'none',
      false,
    ],
    [9, 'etcdserver: lease already exists', 'ConflictError', 'not-applied', 'none', false],
    [9, 'etcdserver: role name not found', 'CoordError', 'not-applied', 'none', false],
    [8, 'etcdserver: too many requests', 'ResourceExhaustedError', 'not-applied', 'retry', false],
    [8, 'etcdserver: mvcc: database space exceeded', 'ResourceExhaustedError', 'unknown', 'none', false],
    [8, 'Received message larger than max', 'ResourceExhaustedError', 'not-applied', 'none', false],
    [4, 'Deadline exceeded after 0.1s', 'TimeoutError', 'unknown', 'retry-if-repeatable', true],
    [4, 'Deadline exceeded after 0.1s,Waiting for LB pick', 'TimeoutError', 'not-applied', 'retry', true],
    [
      14,
      'No connection established. Last error: ECONNREFUSED',
      'ConnectionError',
      'not-applied',
      'retry',
      true,
    ],
    [14, 'Name resolution failed for target dns:x', 'ConnectionError', 'not-applied', 'retry', true],
    [14, 'etcdserver: no leader', 'ConnectionError', 'not-applied', 'retry', true],
    [14, 'etcdserver: leader changed', 'ConnectionError', 'unknown', 'retry-if-repeatable', false],
    [14, 'Channel closed before call started', 'ConnectionError', 'not-applied', 'retry', true],
    [14, 'etcdserver: not capable', 'ConnectionError', 'not-applied', 'retry', true],
    [14, 'etcdserver: rpc not supported for learner', 'ConnectionError', 'not-applied', 'retry', true],
    [14, 'etcdserver: unhealthy cluster', 'ConnectionError', 'not-applied', 'retry', false],
    [14, 'etcdserver: server stopped', 'ConnectionError', 'unknown', 'retry-if-repeatable', true],
    [14, 'etcdserver: request timed out', 'ConnectionError', 'unknown', 'retry-if-repeatable', true],
    [
      14,
      'etcdserver: request timed out, possibly due to previous leader failure',
      'ConnectionError',
      'unknown',
      'retry-if-repeatable',
      true,
    ],
    [9, 'etcdserver: not capable', 'ConnectionError', 'not-applied', 'retry', true], // 3.6
    [9, 'etcdserver: rpc not supported for learner', 'ConnectionError', 'not-applied', 'retry', true], // 3.6
    [9, 'etcdserver: not leader', 'ConnectionError', 'not-applied', 'retry', false],
    [4, 'context deadline exceeded', 'TimeoutError', 'unknown', 'retry-if-repeatable', true],
    [2, 'not a primary lessor', 'ConnectionError', 'not-applied', 'retry', false],
    [
      2,
      'auth: authentication failed, password was given for no password user',
      'AuthError',
      'not-applied',
      'none',
      false,
    ],
    [
      8,
      'grpc: received message larger than max (9 vs. 8)',
      'ResourceExhaustedError',
      'not-applied',
      'none',
      false,
    ],
    [11, 'etcdserver: too large lease TTL', 'ValidationError', 'not-applied', 'none', false],
    [14, 'Connection dropped', 'ConnectionError', 'unknown', 'retry-if-repeatable', true],
    [1, 'context canceled', 'ConnectionError', 'unknown', 'retry-if-repeatable', true],
    [13, 'Received RST_STREAM', 'ConnectionError', 'unknown', 'retry-if-repeatable', true],
    [2, 'raft proposal dropped', 'ConnectionError', 'not-applied', 'retry', false],
    [2, 'something new', 'ConnectionError', 'unknown', 'retry-if-repeatable', false],
    [12, 'unknown service etcdserverpb.KV', 'ConnectionError', 'not-applied', 'none', false],
    [15, 'etcdserver: corrupt cluster', 'CoordError', 'not-applied', 'none', false],
    [15, 'something else', 'CoordError', 'unknown', 'none', false],
  ])('%i %s', (code, details, name, outcome, remedy, endpointFault) => {
    const cause = grpcError(code, details);
    const failure = translateRpcError(cause, context);
    expect(failure).toMatchObject({ error: { name, outcome, cause }, remedy, endpointFault });
    expect(failure.error.message).toContain(
      details.replace(/^(etcdserver|No connection established. Last error): /, ''),
    );
    // After an attempt that may have been applied, a refusal of the next one settles nothing.
    expect(translateRpcError(cause, { ...context, refused: 'unknown' }).error.outcome).toBe('unknown');
  });

  it('only what brought no answer at all is silence', () => {
    const silent = (code: number, details: string) =>
      translateRpcError(grpcError(code, details), context).silent;
    expect(silent(4, 'Deadline exceeded after 0.1s')).toBe(true);
    expect(silent(4, 'Deadline exceeded after 0.1s,Waiting for LB pick')).toBe(true);
    expect(silent(4, 'context deadline exceeded')).toBe(false);
    expect(silent(14, 'No connection established. Last error: ECONNREFUSED')).toBe(false);
    expect(silent(14, 'etcdserver: no leader')).toBe(false);
  });

  it('a login that took too long was no attempt, and another endpoint may be faster', () => {
    const late = new TimeoutError('log in', { timeoutMs: 5 });
    const failure = translateRpcError(late, { ...context, refused: 'unknown' });
    expect(failure).toMatchObject({ error: { outcome: 'unknown' }, remedy: 'retry', endpointFault: true });
    expect(late.outcome).toBe('not-applied'); // others wait for the same login
  });

  it('leaves our own errors as they are, and wraps everything else', () => {
    const closed = new ClosedError('x');
    expect(translateRpcError(closed, context)).toEqual({
      error: closed,
      remedy: 'none',
      endpointFault: false,
      silent: false,
    });
    expect(translateRpcError('what', context).error).toMatchObject({ code: 'COORD_INTERNAL', cause: 'what' });
  });
});
