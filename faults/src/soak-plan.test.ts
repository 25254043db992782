import { expect, it } from 'vitest';
import { planSoak } from './soak-plan.js';

const WORKLOADS = ['lock', 'watch', 'config'];
const STAGES = ['lines', 'network', 'disk', 'clock'];
const VERSIONS = ['3.4', '3.5'];
const TOUR = WORKLOADS.length * STAGES.length;

function planned(count: number) {
  const plan = planSoak({ seed: 7, workloads: WORKLOADS, stages: STAGES, versions: VERSIONS });
  return Array.from({ length: count }, () => plan.next().value);
}

it('has every workload on every stage once, before any is there again', () => {
  const pairs = planned(TOUR).map(({ workload, stage }) => `${workload} ${stage}`);
  expect(new Set(pairs).size).toBe(TOUR);
  expect(planned(3).map(({ stage }) => stage)).toEqual(['lines', 'network', 'disk']);
});

it('has every pair with every version after as many tours, each time by another seed', () => {
  const plan = planned(2 * TOUR);
  const triples = plan.map(({ workload, stage, etcd }) => `${workload} ${stage} ${etcd}`);
  expect(new Set(triples).size).toBe(2 * TOUR);
  const seeds = plan.map(({ workload, seed }) => `${workload} ${seed}`);
  expect(new Set(seeds).size).toBe(2 * TOUR);
  expect(plan[0]?.seed).toBe(7);
});
