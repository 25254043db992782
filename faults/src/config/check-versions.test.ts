import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import { checkOnce, checkVersions } from './check-versions.js';
import { HISTORY_DEPTH, metaKey, rawKey } from './config-names.js';
import { attempted, gone, historyKey, KEYS, observed, put, version } from './hand-written.js';

const KEY = KEYS.spare;
const made = (revision: number, v: number, value = `v${v}`, more = {}) =>
  version(revision, KEY, v, value, more);
const OLD = Array.from({ length: HISTORY_DEPTH }, (_, i) => made(i + 2, i + 1)).flat();
const AFTER = HISTORY_DEPTH + 2;

describe('the check of versions', () => {
  it.each<[string, EtcdEvent[]]>([
    ['one after the other', [...made(2, 1), ...made(3, 2)]],
    ['a deletion', [...made(2, 1), ...made(3, 2, '', { operation: 'delete' }), ...made(4, 3)]],
    ['a rollback', [...made(2, 1), ...made(3, 2), ...made(4, 3, 'v1', { operation: 'rollback', from: 1 })]],
    [
      'what others left, taken into the history by the next write',
      [
        ...made(2, 1),
        put(3, rawKey(KEY), 'x'),
        ...made(4, 3),
        put(4, historyKey(KEY, 2), '{"v":2,"op":"adopt"}\nx'),
      ],
    ],
    [
      'the oldest dropped by the one that is too many',
      [...OLD, ...made(AFTER, HISTORY_DEPTH + 1), gone(AFTER, historyKey(KEY, 1))],
    ],
  ])('finds nothing in %s', (_what, log) => {
    expect(checkVersions([], log)).toEqual([]);
  });

  it.each<[string, EtcdEvent[]]>([
    ['a version that is left out', [...made(2, 1), ...made(3, 3)]],
    ['a version that is there twice', [...made(2, 1), ...made(3, 1)]],
    [
      'numbering that begins anew after a deletion',
      [...made(2, 1), ...made(3, 2, '', { operation: 'delete' }), ...made(4, 1)],
    ],
    [
      'a rollback to something else',
      [...made(2, 1), ...made(3, 2), ...made(4, 3, 'v2', { operation: 'rollback', from: 1 })],
    ],
    ['one dropped too early', [...made(2, 1), ...made(3, 2), gone(3, historyKey(KEY, 1))]],
    ['one that is never dropped', [...OLD, ...made(AFTER, HISTORY_DEPTH + 1)]],
    ['a record of another version', [...made(2, 1), put(3, metaKey(KEY), '{"v":2}')]],
    ['a version without its record', made(2, 1).filter(({ key }) => key !== metaKey(KEY))],
    ['a version without its value', made(2, 1).filter(({ key }) => key !== rawKey(KEY))],
    [
      'a version with another value',
      [...made(2, 1), put(2, rawKey(KEY), 'x')].filter((event, i) => i > 0 || event.key !== rawKey(KEY)),
    ],
    [
      'a deletion that leaves the value',
      [...made(2, 1), ...made(3, 2, '', { operation: 'delete' }).filter(({ key }) => key !== rawKey(KEY))],
    ],
  ])('finds %s', (_what, log) => {
    expect(checkVersions([], log).length).toBeGreaterThan(0);
  });

  it('finds gaps in a history that somebody was given', () => {
    const told = (...versions: number[]) =>
      checkVersions([observed('history', { key: KEY }, { versions })], []);
    expect(told(5, 4, 3)).toEqual([]);
    expect(told(5, 3)).toHaveLength(1);
    expect(told(3, 4)).toHaveLength(1);
    expect(told(...Array.from({ length: HISTORY_DEPTH + 1 }, (_, i) => 20 - i))).toHaveLength(1);
  });
});

describe('the check of acknowledged changes', () => {
  const LOG = [
    ...version(2, KEY, 1, 'x', { attempt: 'a' }),
    ...version(3, KEYS.tuned, 1, 'x', { attempt: 'b' }),
  ];
  const set = (id: string, outcome: 'ok' | 'failed' | 'unknown', written = true, key = KEY) =>
    attempted('change', { id, key, kind: 'set' }, outcome, outcome === 'ok' ? { written } : undefined);

  it('finds nothing where each is there once or not at all, as its writer was told', () => {
    expect(
      checkOnce([set('a', 'ok'), set('b', 'unknown', true, KEYS.tuned), set('c', 'unknown')], LOG),
    ).toEqual([]);
    expect(checkOnce([set('d', 'failed'), set('e', 'ok', false)], LOG)).toEqual([]);
  });

  it.each([
    ['one that is not there', [set('c', 'ok')]],
    ['one that is there under another key', [set('b', 'ok')]],
    ['one that had failed', [set('a', 'failed')]],
    ['one that was not to be written', [set('a', 'ok', false)]],
  ])('finds %s', (_what, history) => {
    expect(checkOnce(history, LOG)).toHaveLength(1);
  });

  it('finds one that was written twice', () => {
    const twice = [...LOG, ...version(4, KEY, 2, 'x', { attempt: 'a' })];
    expect(checkOnce([set('a', 'unknown')], twice)).toHaveLength(1);
  });
});
