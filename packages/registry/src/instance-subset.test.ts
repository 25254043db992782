import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSubset, subsetOf } from './instance-subset.js';
import type { ServiceInfo } from './service-info.js';

const instance = (id: string): ServiceInfo => ({
  name: 'user',
  id,
  address: '10.0.0.1',
  port: 1,
  metadata: {},
  health: 'healthy',
  weight: 1,
  registerTime: new Date(0),
  lastHeartbeat: new Date(0),
});

const ids = (instances: readonly ServiceInfo[]) => instances.map(({ id }) => id);
const fleet = (count: number) => Array.from({ length: count }, (_, index) => instance(`user-${index}`));

const lists = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 40 });

describe('subsetOf', () => {
  it('chooses the same ones whatever the order and the objects are, and keeps the order', () => {
    fc.assert(
      fc.property(lists, fc.nat(40), fc.string({ minLength: 1 }), (names, more, seed) => {
        const options = { size: more + 1, seed };
        const chosen = ids(subsetOf(names.map(instance), options));
        expect(chosen).toHaveLength(Math.min(names.length, options.size));
        expect(chosen).toEqual(names.filter((id) => chosen.includes(id)));
        const backwards = ids(subsetOf(names.toReversed().map(instance), options));
        expect(backwards.toReversed()).toEqual(chosen);
      }),
    );
  });

  it('changes by one place at most for each instance that comes or goes', () => {
    fc.assert(
      fc.property(lists, fc.nat(10), fc.nat(), fc.string({ minLength: 1 }), (names, more, pick, seed) => {
        const options = { size: more + 1, seed };
        const all = names.map(instance);
        const without = all.toSpliced(pick % all.length, 1);
        const before = new Set(ids(subsetOf(all, options)));
        const after = ids(subsetOf(without, options));
        const gone = names[pick % names.length] ?? '';
        const added = after.filter((id) => !before.has(id));
        const removed = [...before].filter((id) => !after.includes(id));
        expect(removed).toEqual(before.has(gone) ? [gone] : []);
        expect(added.length).toBeLessThanOrEqual(removed.length);
      }),
    );
  });

  it('chooses different ones for different seeds, and all of them about as often', () => {
    const all = fleet(100);
    const often = new Map(ids(all).map((id) => [id, 0]));
    const seeds = 1_000;
    for (let seed = 0; seed < seeds; seed++) {
      for (const id of ids(subsetOf(all, { size: 20, seed: `pod-${seed}` }))) {
        often.set(id, (often.get(id) ?? 0) + 1);
      }
    }
    // 200 each, by chance with a deviation of 12.6: six of them, and the run is always the same.
    for (const times of often.values()) {
      expect(times).toBeGreaterThan(124);
      expect(times).toBeLessThan(276);
    }
  });

  it('is of the size asked for even when instances are worth the same', () => {
    const twice = [...fleet(6), ...fleet(6)];
    for (let size = 1; size <= 12; size++) expect(subsetOf(twice, { size, seed: 'a' })).toHaveLength(size);
  });

  it('refuses what is no size', () => {
    for (const size of [0, Number.NaN, '3']) {
      expect(() => subsetOf(fleet(5), Object({ size }))).toThrow(
        expect.objectContaining({ issues: [expect.objectContaining({ path: 'subset.size' })] }),
      );
    }
  });

  it('has a seed of its own in each process', () => {
    const all = fleet(1_000);
    const chosen = ids(subsetOf(all, { size: 10 }));
    expect(ids(subsetOf(all, { size: 10 }))).toEqual(chosen);
    expect(ids(subsetOf(all, { size: 10, seed: 'another' }))).not.toEqual(chosen);
  });
});

describe('checkSubset', () => {
  it.each([
    [null, 'subset'],
    [3, 'subset'],
    [{}, 'subset.size'],
    [{ size: 0 }, 'subset.size'],
    [{ size: 1.5 }, 'subset.size'],
    [{ size: Number.NaN }, 'subset.size'],
    [{ size: 1, seed: '' }, 'subset.seed'],
    [{ size: 1, seed: 7 }, 'subset.seed'],
  ])('refuses %j', (subset, path) => {
    expect(checkSubset([], subset).map((issue) => issue.path)).toEqual([path]);
  });

  it('takes a size with and without a seed, and none', () => {
    for (const subset of [undefined, { size: 1 }, { size: 5, seed: 'a' }]) {
      expect(checkSubset([], subset)).toEqual([]);
    }
  });
});
