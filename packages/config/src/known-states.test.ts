import { expect, it } from 'vitest';
import { type KeyState, keyState } from './key-state.js';
import { KnownStates } from './known-states.js';

function stateAt(revision: bigint, size = 1): KeyState {
  const raw = { value: new Uint8Array(size), modRevision: revision };
  return { ...keyState(undefined, undefined), raw, metaRevision: revision };
}

it('the newest stays, whatever order the answers come in', () => {
  const known = new KnownStates();
  known.remember('a', stateAt(2n));
  known.remember('a', stateAt(1n));
  expect(known.get('a')?.metaRevision).toBe(2n);
  known.remember('a', stateAt(3n));
  expect(known.get('a')?.metaRevision).toBe(3n);
  known.forget('a');
  expect(known.get('a')).toBeUndefined();
});

it('is bounded: a thousand keys, none with a large value', () => {
  const known = new KnownStates();
  for (let n = 0; n <= 1_000; n++) known.remember(`${n}`, stateAt(1n));
  expect(known.get('0')).toBeUndefined();
  expect(known.get('1')).toBeDefined();
  known.remember('1', stateAt(2n, 4 * 1024 + 1));
  expect(known.get('1')).toBeUndefined();
});
