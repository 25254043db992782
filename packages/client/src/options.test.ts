import { describe, expect, it } from 'vitest';
import { ValidationError } from './errors.js';
import { resolveClientOptions } from './options.js';

function paths(options: unknown): string[] {
  try {
    resolveClientOptions(options as object);
  } catch (error) {
    if (error instanceof ValidationError) return error.issues.map(({ path }) => path);
    throw error;
  }
  return [];
}

describe('resolveClientOptions', () => {
  it('fills in the defaults, frozen, and leaves the caller’s object alone', () => {
    const given = Object.freeze({ endpoints: Object.freeze(['a:1', 'http://a:1/', 'b:2']) });
    const options = resolveClientOptions(given);
    expect(options).toMatchObject({
      endpoints: ['http://a:1', 'http://b:2'],
      namespace: '',
      dialTimeoutMs: 5_000,
      requestTimeoutMs: 5_000,
      keepAliveTimeMs: 10_000,
      retry: { maxAttempts: 5, initialDelayMs: 200, maxDelayMs: 5_000, multiplier: 2 },
      logLevel: 'info',
      enableMetrics: false,
      enableTracing: false,
    });
    expect(Object.isFrozen(options)).toBe(true);
    expect(resolveClientOptions().endpoints).toEqual(['http://127.0.0.1:2379']);
    expect(resolveClientOptions({ endpoints: ['h:1'], tls: {} }).endpoints).toEqual(['https://h:1']);
    expect(resolveClientOptions({ endpoints: ['[::1]:2379'] }).endpoints).toEqual(['http://[::1]:2379']);
  });

  it.each<[unknown, string[]]>([
    [null, ['options']],
    ['127.0.0.1:2379', ['options']],
    [{ endpoints: [] }, ['endpoints']],
    [{ endpoints: 'a:1' }, ['endpoints']],
    [
      { endpoints: ['a', 'a:0', 'a:65536', 'ftp://a:1', 'a:1/path', 5] },
      [0, 1, 2, 3, 4, 5].map((i) => `endpoints[${i}]`),
    ],
    [{ endpoints: ['http://a:1', 'https://b:1'] }, ['endpoints']],
    [{ endpoints: ['http://a:1'], tls: {} }, ['endpoints[0]']],
    [{ username: 'u' }, ['password']],
    [{ password: 'p' }, ['username']],
    [{ username: '', password: 5 }, ['username', 'password']],
    [{ tls: null }, ['tls']],
    [{ tls: 'yes' }, ['tls']],
    [{ tls: { certFile: 'c.pem' } }, ['tls.keyFile']],
    [{ tls: { key: 'PEM', caFile: 5 } }, ['tls.caFile', 'tls.certFile']],
    [{ namespace: 5 }, ['namespace']],
    [{ namespace: '\ud800' }, ['namespace']],
    [{ dialTimeoutMs: 0, requestTimeoutMs: Number.NaN }, ['dialTimeoutMs', 'requestTimeoutMs']],
    [{ requestTimeoutMs: 2 ** 31 }, ['requestTimeoutMs']],
    [{ keepAliveTimeMs: 9_999 }, ['keepAliveTimeMs']],
    [{ retry: null }, ['retry']],
    [
      { retry: { maxAttempts: 0, initialDelayMs: -1, maxDelayMs: '1', multiplier: 0.5 } },
      ['retry.maxAttempts', 'retry.initialDelayMs', 'retry.maxDelayMs', 'retry.multiplier'],
    ],
    [{ logger: null }, ['logger']],
    [{ logger: { info() {} } }, ['logger']],
    [{ logLevel: 'loud' }, ['logLevel']],
    [{ enableMetrics: 'yes', enableTracing: 1 }, ['enableMetrics', 'enableTracing']],
  ])('%j: every problem at once', (options, expected) => {
    expect(paths(options)).toEqual(expected);
  });

  it('refuses names that are no options, also within tls and retry, and lets sections of @coord/core pass', () => {
    const misspelt = { hosts: ['a:1'], tls: { rootCa: 'x' }, retry: { attempts: 1 }, lockTtlMs: undefined };
    expect(paths(misspelt)).toEqual(['hosts', 'tls.rootCa', 'retry.attempts', 'lockTtlMs']);
    const sections = { serviceRegistry: {}, distributedLock: {}, configCenter: {} };
    expect(resolveClientOptions({ endpoints: ['a:1'], ...sections }).endpoints).toEqual(['http://a:1']);
  });

  it('never shows a password', () => {
    expect(() => resolveClientOptions({ username: '', password: 'hunter2' })).toThrow(/^(?!.*hunter2)/);
  });
});
