import { describe, expect, it } from 'vitest';
import { deepFreeze } from './deep-freeze.js';

describe('deepFreeze', () => {
  it('freezes at every depth, also below what is frozen already', () => {
    const value = Object.freeze({ list: [{ a: { b: 1 } }] });
    deepFreeze(value);
    expect(Object.isFrozen(value.list[0]?.a)).toBe(true);
  });

  it('copes with cycles, and leaves bytes and instances alone', () => {
    const cyclic: { self?: unknown; at: Date; bytes: Uint8Array } = {
      at: new Date(),
      bytes: Uint8Array.of(1),
    };
    cyclic.self = cyclic;
    expect(() => deepFreeze(cyclic)).not.toThrow();
    expect(Object.isFrozen(cyclic.at)).toBe(false);
  });
});
