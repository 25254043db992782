import { ConflictError, CoordError, TimeoutError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { LockConflictError, LockExpiredError, LockNotHeldError, LockTimeoutError } from './errors.js';
import { describeSelf, holderOf } from './holder.js';

const contender = (value: string) => ({
  key: '/locks/a/1-x',
  createRevision: 7n,
  value: new TextEncoder().encode(value),
});

describe('lock errors', () => {
  it('have a name, a code, a base and the lock they speak of', () => {
    const cases = [
      [new LockConflictError('a', undefined), ConflictError, 'LockConflictError', 'COORD_LOCK_CONFLICT'],
      [new LockTimeoutError('a', 10), TimeoutError, 'LockTimeoutError', 'COORD_LOCK_TIMEOUT'],
      [new LockExpiredError('a', 'gone'), CoordError, 'LockExpiredError', 'COORD_LOCK_EXPIRED'],
      [new LockNotHeldError('a', 7n, 'gone'), CoordError, 'LockNotHeldError', 'COORD_LOCK_NOT_HELD'],
    ] as const;
    for (const [error, base, name, code] of cases) {
      expect(error).toBeInstanceOf(base);
      expect(CoordError.is(error)).toBe(true);
      expect(error).toMatchObject({ name, code, key: 'a', outcome: 'not-applied' });
      expect(error.message).toContain('lock "a"');
    }
  });

  it('say what a timeout waited for', () => {
    expect(new LockTimeoutError('a', 10).message).toBe(
      'lock "a": not acquired within 10 ms; etcd has not answered',
    );
    const cause = new Error('no route');
    expect(new LockTimeoutError('a', 10, { ahead: 3, cause })).toMatchObject({
      ahead: 3,
      cause,
      message:
        'lock "a": not acquired within 10 ms; 3 ahead when it joined the queue; last failure: no route',
    });
  });
});

describe('holderOf', () => {
  it('reads what describeSelf wrote', () => {
    const holder = holderOf(contender(describeSelf('a "purpose"')));
    expect(holder).toMatchObject({ pid: process.pid, purpose: 'a "purpose"', fencingToken: 7n });
    expect(holder.since).toBeInstanceOf(Date);
    expect(JSON.parse(JSON.stringify(holder))).toMatchObject({ fencingToken: '7', pid: process.pid });
    expect(new LockConflictError('a', holder).message).toContain('a \\"purpose\\"');
  });

  it('trusts nothing', () => {
    const bad = [
      '',
      '{',
      'null',
      '[1]',
      '"x"',
      '{"host":1,"pid":"2","purpose":[],"since":"never"}',
      'x'.repeat(99_999),
    ];
    for (const value of bad) {
      expect(Object.keys(holderOf(contender(value))).sort()).toEqual(['etcdKey', 'fencingToken', 'toJSON']);
    }
    holderOf(contender('{"__proto__":{"polluted":true},"host":"h"}'));
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});
