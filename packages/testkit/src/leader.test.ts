import { expect, it } from 'vitest';
import { findLeader, majorityOf, type Voter } from './leader.js';

/** A member with what it would answer; undefined: it does not. */
function voter(
  id: bigint,
  answer?: { readonly leaderId?: bigint; readonly raftTerm: bigint },
  state = 'running',
): Voter {
  const status = async () => {
    if (!answer) throw new Error('no answer');
    const { leaderId, raftTerm } = answer;
    const isLeader = leaderId === id;
    return { memberId: id, leaderId, isLeader, raftTerm, revision: 1n, dbSizeBytes: 0, version: '3.5.16' };
  };
  return { id, state, status };
}

it('finds the one that a majority follows', async () => {
  const [a, b, c] = [
    voter(1n, { leaderId: 2n, raftTerm: 3n }),
    voter(2n, { leaderId: 2n, raftTerm: 3n }),
    voter(3n),
  ];
  expect(await findLeader([a, b, c], 2)).toBe(b);
  expect(await findLeader([a, b, c], 3)).toBeUndefined();
});

it('is not deceived by a leader that was cut off and has not noticed', async () => {
  const old = voter(1n, { leaderId: 1n, raftTerm: 3n });
  expect(
    await findLeader([old, voter(2n, { raftTerm: 4n }), voter(3n, { raftTerm: 4n })], 2),
  ).toBeUndefined();
  const next = voter(2n, { leaderId: 2n, raftTerm: 4n });
  expect(await findLeader([old, next, voter(3n, { leaderId: 2n, raftTerm: 4n })], 2)).toBe(next);
});

it('counts followers of the same term only', async () => {
  const leader = voter(1n, { leaderId: 1n, raftTerm: 5n });
  expect(await findLeader([leader, voter(2n, { leaderId: 1n, raftTerm: 4n }), voter(3n)], 2)).toBeUndefined();
});

it('does not ask members that do not run', async () => {
  const paused = voter(1n, { leaderId: 1n, raftTerm: 3n }, 'paused');
  expect(await findLeader([paused, voter(2n, { leaderId: 1n, raftTerm: 3n })], 1)).toBeUndefined();
});

it('knows what is more than half', () => {
  expect([1, 2, 3, 4, 5].map(majorityOf)).toEqual([1, 2, 2, 3, 3]);
});
