import { describe, expect, it } from 'vitest';
import { PageSize } from './page-size.js';

const page = (keys: number, bytes: number) =>
  Array.from({ length: keys }, () => ({
    key: Buffer.alloc(10),
    value: Buffer.alloc(bytes),
    version: 1n,
    create_revision: 1n,
    mod_revision: 1n,
    lease: 0n,
  }));

describe('the size of a page', () => {
  it('starts small and grows to its maximum over small values', () => {
    const size = new PageSize(1_000);
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      seen.push(size.keys);
      size.note(page(size.keys, 100));
    }
    expect(seen).toEqual([16, 256, 1_000, 1_000]);
  });

  it('shrinks when the values grow, to one key at least', () => {
    const size = new PageSize(1_000);
    size.note(page(16, 2_000));
    expect(size.keys).toBe(256);
    size.note(page(256, 1_000_000));
    expect(size.keys).toBe(2);
    size.note(page(2, 8_000_000));
    expect(size.keys).toBe(1);
  });

  it('never exceeds what the caller asked for, and does not mind an empty page', () => {
    const size = new PageSize(3);
    expect(size.keys).toBe(3);
    size.note([]);
    size.note(page(3, 1));
    expect(size.keys).toBe(3);
  });
});
