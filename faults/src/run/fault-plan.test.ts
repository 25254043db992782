import { expect, it } from 'vitest';
import { LINE_FAULTS } from './cluster-faults.js';
import { type PlannedFault, planFaults } from './fault-plan.js';

const OWN = ['slow link', 'member link cut'];
const ALL = [...OWN, ...LINE_FAULTS, 'cut', 'leader killed', 'compaction'];

function planned(count: number, seed: number): PlannedFault[] {
  const plan = planFaults(seed, { first: OWN, all: ALL }, 3);
  return Array.from({ length: count }, () => plan.next()).flatMap(({ done, value }) => (done ? [] : [value]));
}

const kindsOf = (plan: readonly PlannedFault[]) => plan.map(({ kind }) => kind).sort();

it('plans the same faults for the same seed, and others for another', () => {
  expect(planned(50, 7)).toEqual(planned(50, 7));
  expect(planned(50, 7)).not.toEqual(planned(50, 8));
});

it('comes to what has to come first, then to every kind, before one comes again', () => {
  const plan = planned(OWN.length + 2 * ALL.length, 1);
  expect(kindsOf(plan.slice(0, OWN.length))).toEqual([...OWN].sort());
  const rounds = plan.slice(OWN.length);
  expect(kindsOf(rounds.slice(0, ALL.length))).toEqual([...ALL].sort());
  expect(kindsOf(rounds.slice(ALL.length))).toEqual([...ALL].sort());
  expect(rounds.slice(0, ALL.length)).not.toEqual(rounds.slice(ALL.length));
});

it('comes to every member', () => {
  expect(new Set(planned(200, 1).map(({ member }) => member))).toEqual(new Set([0, 1, 2]));
});

it('has an end where there is nothing to come', () => {
  expect([...planFaults(1, { first: [], all: [] }, 3)]).toEqual([]);
  expect([...planFaults(1, { first: OWN, all: [] }, 3)]).toHaveLength(OWN.length);
});
