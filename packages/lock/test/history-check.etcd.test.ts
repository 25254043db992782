import { describe, expect, it } from 'vitest';
import { checkHistory, type History } from './history-check.js';

const CLEAN: History = {
  writes: [
    { id: 'a-1', token: 10n, outcome: 'ok' },
    { id: 'b-1', token: 12n, outcome: 'unknown' },
    { id: 'a-2', token: 15n, outcome: 'ok' },
    { id: 'b-2', token: 17n, outcome: 'failed' },
    { id: 'c-1', token: 18n, outcome: 'unknown' },
  ],
  list: ['a-1', 'b-1', 'a-2'],
};
const NOTHING = { lost: [], phantoms: [], duplicates: [], outOfOrder: [], reusedTokens: [] };

describe('the check of a history', () => {
  it('finds nothing in a clean one, whatever became of unknown writes', () => {
    expect(checkHistory(CLEAN)).toEqual(NOTHING);
    expect(checkHistory({ ...CLEAN, list: ['a-1', 'a-2', 'c-1'] })).toEqual(NOTHING);
  });

  it('finds an acknowledged write that is gone', () => {
    expect(checkHistory({ ...CLEAN, list: ['a-1', 'b-1'] })).toEqual({ ...NOTHING, lost: ['a-2'] });
  });

  it('finds a refused write that is there, and one that nobody made', () => {
    expect(checkHistory({ ...CLEAN, list: [...CLEAN.list, 'b-2'] }).phantoms).toEqual(['b-2']);
    expect(checkHistory({ ...CLEAN, list: [...CLEAN.list, 'x'] }).phantoms).toEqual(['x']);
  });

  it('finds a write that was applied twice', () => {
    expect(checkHistory({ ...CLEAN, list: [...CLEAN.list, 'a-2'] }).duplicates).toEqual(['a-2']);
  });

  it('finds a write of an older holder after that of a newer one', () => {
    expect(checkHistory({ ...CLEAN, list: ['b-1', 'a-1', 'a-2'] }).outOfOrder).toEqual(['a-1']);
  });

  it('finds two grants of one token', () => {
    const writes = CLEAN.writes.map((write) => (write.id === 'c-1' ? { ...write, token: 10n } : write));
    expect(checkHistory({ ...CLEAN, writes }).reusedTokens).toEqual([10n]);
  });
});
