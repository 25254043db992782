import { describe, expect, it } from 'vitest';
import { checkChain } from '../check-chain.js';
import type { EtcdEvent } from '../etcd-event.js';
import type { Outcome } from '../operation.js';
import { rawKey } from './config-names.js';
import { attempted, KEYS, put } from './hand-written.js';
import { chainOf } from './setting-chain.js';

const KEY = rawKey(KEYS.bounds);
const setting = (id: string, read: string) => ({ id, read, low: 1, high: 5, last: false });
const written = (id: string, read: string, outcome: Outcome = 'ok') =>
  attempted('write', setting(id, read), outcome);
const littered = (id: string, read: string, outcome: Outcome = 'ok') =>
  attempted('rubbish', { id, read }, outcome);
const A = put(2, KEY, setting('p0-1', ''));
const RUBBISH = put(3, KEY, '{"id":"p1-1",');
const C = put(4, KEY, setting('p0-2', 'p1-1'));
const ASKED = [written('p0-1', ''), littered('p1-1', 'p0-1'), written('p0-2', 'p1-1')];

function check(log: readonly EtcdEvent[], history: Parameters<typeof chainOf>[0]) {
  return checkChain('C2', ...chainOf(history, log, KEY));
}

describe('the check of a chain of values', () => {
  it('finds nothing where each stands on the one before, whoever wrote it', () => {
    expect(check([A, RUBBISH, C], ASKED)).toEqual([]);
    expect(
      check(
        [A],
        [written('p0-1', '', 'unknown'), written('p0-9', '', 'unknown'), littered('p1-9', '', 'failed')],
      ),
    ).toEqual([]);
  });

  it.each<[string, EtcdEvent[]]>([
    ['a value over another that its writer had not read', [A, RUBBISH, put(4, KEY, setting('p0-2', 'p0-1'))]],
    ['rubbish over another value than it was meant for', [A, C, RUBBISH]],
    ['an acknowledged value that is not there', [A, RUBBISH]],
    ['a value that is there twice', [A, RUBBISH, C, put(5, KEY, setting('p0-2', 'p0-2'))]],
    ['a value that nobody wrote', [A, RUBBISH, C, put(5, KEY, setting('p7-7', 'p0-2'))]],
  ])('finds %s', (_what, log) => {
    expect(check(log, ASKED).length).toBeGreaterThan(0);
  });

  it('finds a failed value that is there', () => {
    expect(check([A], [written('p0-1', '', 'failed')])).toHaveLength(1);
  });
});
