import { expect, it } from 'vitest';
import { type FaultKind, LINE_FAULTS } from './cluster-faults.js';
import { type PlannedFault, planFaults } from './fault-plan.js';

const KINDS: readonly FaultKind[] = [...LINE_FAULTS, 'leader killed', 'compaction'];

function first(count: number, seed: number): PlannedFault[] {
  const plan = planFaults(seed, KINDS, 3);
  return Array.from({ length: count }, () => plan.next().value);
}

it('plans the same faults for the same seed, and others for another', () => {
  expect(first(50, 7)).toEqual(first(50, 7));
  expect(first(50, 7)).not.toEqual(first(50, 8));
});

it('comes to every kind and every member', () => {
  const plan = first(200, 1);
  expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(KINDS));
  expect(new Set(plan.map(({ member }) => member))).toEqual(new Set([0, 1, 2]));
});
