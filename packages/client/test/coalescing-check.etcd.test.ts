import { describe, expect, it } from 'vitest';
import { type Action, type CallRecord, checkHistory, type History } from './coalescing/check-history.js';
import type { ModelKey, Plain } from './coalescing/model.js';

// Wrong histories, made up: whoever trusts `coalescing-model.etcd.test.ts` wants to know that its check can fail.

interface Given {
  readonly action: Action;
  readonly answer?: Plain;
  readonly at?: number;
  readonly error?: { readonly name: string; readonly outcome: 'not-applied' | 'unknown' };
  readonly client?: number;
  readonly mayFail?: readonly string[];
  readonly mustFail?: boolean;
  /** Begins when all before it have ended. */
  readonly after?: boolean;
}

/** Calls made in this order; unless they say `after`, they run at the same time. */
function calls(...given: readonly Given[]): CallRecord[] {
  return given.map(({ action, answer = {}, at = 0, error, ...more }, i) => {
    const later = given.length * (i + 1);
    return {
      client: more.client ?? 0,
      action,
      invoked: more.after ? later : i,
      ended: later + 1,
      end: error ? { type: 'error', ...error } : { type: 'answer', answer, revision: BigInt(at) },
      mayFail: more.mayFail ?? [],
      mustFail: more.mustFail ?? false,
      stale: false,
    };
  });
}

/** `{ 5: { a: 'x' } }`: at revision 5, `a` became `x`; undefined = deleted. */
function history(changes: Readonly<Record<number, Readonly<Record<string, string | undefined>>>>): History {
  const states: History['states'][number][] = [];
  let state = new Map<string, ModelKey>();
  for (const [at, changed] of Object.entries(changes)) {
    const revision = BigInt(at);
    state = new Map(state);
    const effects = new Map<string, ModelKey | undefined>();
    for (const [key, value] of Object.entries(changed)) {
      const old = state.get(key);
      const now =
        value === undefined
          ? undefined
          : {
              value,
              version: (old?.version ?? 0) + 1,
              create: old?.create ?? revision,
              mod: revision,
              lease: 0n,
            };
      effects.set(key, now);
      if (now === undefined) state.delete(key);
      else state.set(key, now);
    }
    states.push({ revision, state, changed: effects });
  }
  return { start: 1n, states, revoked: -1n };
}

const put = (key: string, value: string): Action => ({ put: { key, value } });
const DONE: Plain = { type: 'put', previous: undefined };
const take = (key: string): Action => ({
  txn: {
    compare: [{ key: { prefix: 'lock/' }, target: 'create', is: '=', to: 0 }],
    success: [{ put: { key, value: 'mine' } }],
  },
});
const TAKEN: Plain = { type: 'txn', succeeded: true, responses: [DONE] };
const REFUSED: Plain = { type: 'txn', succeeded: false, responses: [] };
const get = (key: string): Action => ({ get: key });
const found = (...kvs: string[]): Plain => ({ type: 'get', kvs, count: kvs.length, more: false });

describe('the check of histories', () => {
  it('accepts what is right', () => {
    const records = calls(
      { action: put('a', '1'), answer: DONE, at: 5 },
      { action: put('b', '1'), answer: DONE, at: 5 },
      { action: get('a'), answer: found('a=1 v1 c5 m5 l0'), at: 6 },
      { action: take('lock/1'), answer: TAKEN, at: 6 },
      { action: take('lock/2'), answer: REFUSED, at: 6 },
      {
        action: put('c', '1'),
        error: { name: 'TimeoutError', outcome: 'unknown' },
        mayFail: ['TimeoutError'],
      },
      {
        action: put('d', '1'),
        error: { name: 'TimeoutError', outcome: 'unknown' },
        mayFail: ['TimeoutError'],
      },
    );
    const right = history({ 5: { a: '1', b: '1' }, 6: { 'lock/1': 'mine' }, 7: { c: '1' } });
    expect(checkHistory(records, right)).toEqual([]);
  });

  const abort = { name: 'AbortedError', outcome: 'not-applied' } as const;
  const lost = { name: 'TimeoutError', outcome: 'unknown' } as const;
  it.each<[string, CallRecord[], History]>([
    [
      'two who took one name in one batch',
      calls(
        { action: take('lock/1'), answer: TAKEN, at: 5 },
        { action: take('lock/2'), answer: TAKEN, at: 5 },
      ),
      history({ 5: { 'lock/1': 'mine', 'lock/2': 'mine' } }),
    ],
    [
      'a compare that has seen its own batch',
      calls(
        { action: put('lock/0', 'x'), answer: DONE, at: 5 },
        { action: take('lock/1'), answer: REFUSED, at: 5 },
      ),
      history({ 5: { 'lock/0': 'x', other: 'x' } }),
    ],
    [
      'calls on one key that changed places',
      calls({ action: put('a', '1'), answer: DONE, at: 6 }, { action: put('a', '2'), answer: DONE, at: 5 }),
      history({ 5: { a: '2' }, 6: { a: '1' } }),
    ],
    [
      'a read that was overtaken by a later write',
      calls(
        { action: get('a'), answer: found('a=1 v1 c5 m5 l0'), at: 5 },
        { action: put('a', '1'), answer: DONE, at: 5 },
      ),
      history({ 5: { a: '1' } }),
    ],
    [
      'a stale read',
      calls(
        { action: put('a', '1'), answer: DONE, at: 5 },
        { action: get('a'), answer: found(), at: 4, client: 1, after: true },
      ),
      history({ 5: { a: '1' } }),
    ],
    [
      'the answer of another call',
      calls(
        { action: put('a', '1'), answer: DONE, at: 5 },
        { action: get('b'), answer: found('a=1 v1 c5 m5 l0'), at: 5 },
      ),
      history({ 5: { a: '1' } }),
    ],
    [
      'a write that was applied twice',
      calls({ action: put('a', '1'), answer: DONE, at: 5 }),
      history({ 5: { a: '1' }, 6: { a: '1' } }),
    ],
    [
      'an answer to what was never applied',
      calls({ action: put('a', '1'), answer: DONE, at: 5 }),
      history({}),
    ],
    [
      'a trace of what was not applied',
      calls({ action: put('a', '1'), error: abort, mayFail: ['AbortedError'] }),
      history({ 5: { a: '1' } }),
    ],
    [
      'an unknown one that was applied by half',
      calls({
        action: { txn: { success: [{ put: { key: 'a', value: '1' } }, { put: { key: 'b', value: '1' } }] } },
        error: lost,
        mayFail: ['TimeoutError'],
      }),
      history({ 5: { a: '1' } }),
    ],
    [
      'an unknown one that was applied twice',
      calls({ action: put('a', '1'), error: lost, mayFail: ['TimeoutError'] }),
      history({ 5: { a: '1' }, 6: { a: '1' } }),
    ],
    [
      'an error for no reason',
      calls({ action: put('a', '1'), error: { ...abort, name: 'NotFoundError' } }),
      history({}),
    ],
    [
      'an answer to what is to be refused',
      calls({ action: put('a', '1'), answer: DONE, at: 5, mayFail: ['PermissionError'], mustFail: true }),
      history({ 5: { a: '1' } }),
    ],
  ])('finds %s', (_, records, wrong) => {
    expect(checkHistory(records, wrong)).not.toEqual([]);
  });
});
