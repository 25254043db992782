import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { SessionLostError } from './errors.js';
import { styleOf, writable } from './log-style.js';

const lost = new SessionLostError('session lost: lease 5', { leaseId: 5n });
const foreign = new RangeError('not ours');
const fields = { key: 'a\nb', leaseId: 7n, error: lost, keys: ['\u001b', 1n], count: 1, absent: undefined };

describe('fields of a line', () => {
  it('are for JSON unless the logger is known to do better', () => {
    const said = writable({ ...fields, foreign }, 'plain');
    expect(JSON.parse(JSON.stringify(said))).toEqual({
      key: 'a\\x0ab',
      leaseId: '7',
      error: {
        name: 'SessionLostError',
        message: 'session lost: lease 5',
        code: 'COORD_SESSION_LOST',
        outcome: 'not-applied',
        leaseId: '5',
      },
      keys: ['\\x1b', '1'],
      count: 1,
      foreign: { name: 'RangeError', message: 'not ours', stack: expect.stringContaining('not ours') },
    });
  });

  it('hold the error itself for the console, and for pino by the name that it knows', () => {
    expect(writable(fields, 'console').error).toBe(lost);
    expect(writable(fields, 'pino')).toMatchObject({ err: lost, leaseId: '7' });
    expect(writable(fields, 'pino')).not.toHaveProperty('error');
  });

  it('the console is known, also one of the app’s own', () => {
    expect(styleOf(console)).toBe('console');
    expect(styleOf(new Console(new Writable()))).toBe('console');
    expect(styleOf({ ...console })).toBe('plain');
    expect(styleOf(undefined)).toBe('plain');
    const fail = () => {
      throw new Error('has');
    };
    expect(styleOf(new Proxy({ ...console }, { has: fail, getPrototypeOf: fail }))).toBe('plain');
  });
});
