import { describe, expect, it } from 'vitest';
import { POLICIES, type PolicyName } from './policies.js';
import { type ZonedCandidate, ZonePreference } from './zone-preference.js';

interface Named extends ZonedCandidate {
  weight: number;
  ready: boolean;
  callsInFlight: number;
}

function candidate(address: string, weight = 1, zone?: string): Named {
  return { address, weight, zone, ready: true, callsInFlight: 0 };
}

/** Numbers that look random, the same ones in each run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function picker(name: PolicyName) {
  const policy = POLICIES[name](randomFrom(7));
  return (of: readonly Named[], key?: string) => policy.pick(of, key)?.address;
}

function count(times: number, pick: (round: number) => string | undefined): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let round = 0; round < times; round++) {
    const name = String(pick(round));
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const names = Object.keys(POLICIES) as PolicyName[];

it.each(names)('%s: one candidate gets everything, of no weight also', (name) => {
  const pick = picker(name);
  for (const weight of [1, 0]) {
    const alone = [candidate('a', weight)];
    expect(count(20, (round) => pick(alone, String(round)))).toEqual({ a: 20 });
  }
});

describe('coord_weighted', () => {
  it('keeps to the weights exactly, and mixes', () => {
    const pick = picker('coord_weighted');
    const of = [candidate('a', 5), candidate('b'), candidate('c')];
    expect(Array.from({ length: 7 }, () => pick(of)).join('')).toBe('aabacaa');
    expect(count(700, () => pick(of))).toEqual({ a: 500, b: 100, c: 100 });
  });

  it('follows new weights from the next call on', () => {
    const pick = picker('coord_weighted');
    const [a, b, c] = [candidate('a', 5), candidate('b', 3), candidate('c', 1)];
    expect(count(900, () => pick([a, b, c]))).toEqual({ a: 500, b: 300, c: 100 });
    a.weight = 1;
    b.weight = 1;
    c.weight = 8;
    expect(count(1_000, () => pick([a, b, c]))).toEqual({ a: 100, b: 100, c: 800 });
  });

  it('takes turns when nothing weighs anything', () => {
    const pick = picker('coord_weighted');
    const of = [candidate('a', 0), candidate('b', 0)];
    expect(count(10, () => pick(of))).toEqual({ a: 5, b: 5 });
  });
});

describe('coord_random', () => {
  it('reaches all alike', () => {
    const pick = picker('coord_random');
    const counts = count(3_000, () => pick([candidate('a'), candidate('b'), candidate('c')]));
    for (const name of ['a', 'b', 'c']) expect(Math.abs((counts[name] ?? 0) - 1_000)).toBeLessThan(150);
  });
});

describe('coord_least_conn', () => {
  it('goes where the fewest calls are, for the weight', () => {
    const pick = picker('coord_least_conn');
    const [a, b] = [candidate('a', 3), candidate('b', 1)];
    const counts = count(400, () => {
      const name = pick([a, b]);
      if (name === 'a') a.callsInFlight += 1;
      else b.callsInFlight += 1;
      return name;
    });
    expect(counts).toEqual({ a: 300, b: 100 });
  });

  it('draws lots among equals: the first of the list is not everybody’s favourite', () => {
    const pick = picker('coord_least_conn');
    const counts = count(3_000, () => pick([candidate('a'), candidate('b'), candidate('c')]));
    for (const name of ['a', 'b', 'c']) expect(Math.abs((counts[name] ?? 0) - 1_000)).toBeLessThan(150);
  });
});

describe('coord_p2c', () => {
  it('compares two different ones: of two it always takes the idle one', () => {
    const pick = picker('coord_p2c');
    const busy = { ...candidate('busy'), callsInFlight: 9 };
    expect(count(200, () => pick([busy, candidate('idle')]))).toEqual({ idle: 200 });
    expect(count(200, () => pick([candidate('idle'), busy]))).toEqual({ idle: 200 });
  });

  it('never takes the busiest of many, and each of the others', () => {
    const pick = picker('coord_p2c');
    const busy = { ...candidate('busy'), callsInFlight: 9 };
    const others = ['a', 'b', 'c', 'd'].map((name) => candidate(name));
    const counts = count(2_000, () => pick([...others, busy]));
    expect(Object.keys(counts).sort()).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('coord_ring_hash', () => {
  const place = (of: readonly Named[]) => {
    const pick = picker('coord_ring_hash');
    return Array.from({ length: 5_000 }, (_, key) => String(pick(of, `user-${key}`)));
  };

  it('puts a key always in the same place, whatever the order of the list', () => {
    const of = ['a', 'b', 'c'].map((name) => candidate(`10.0.0.${name}:80`));
    expect(place([...of].reverse())).toEqual(place(of));
  });

  it('moves only the keys of the one that goes', () => {
    const of = ['1', '2', '3', '4'].map((name) => candidate(`10.0.0.${name}:80`));
    const before = place(of);
    const after = place(of.slice(1));
    const moved = before.filter((name, key) => name !== after[key]);
    expect(new Set(moved)).toEqual(new Set(['10.0.0.1:80']));
  });

  it('spreads keys by weight', () => {
    const of = [candidate('10.0.0.1:80', 3), candidate('10.0.0.2:80', 1)];
    const first = place(of).filter((name) => name === '10.0.0.1:80').length;
    expect(Math.abs(first - 3_750)).toBeLessThan(200);
  });

  it('sends calls without a key anywhere', () => {
    const pick = picker('coord_ring_hash');
    expect(Object.keys(count(100, () => pick([candidate('a'), candidate('b')]))).sort()).toEqual(['a', 'b']);
  });
});

describe('ZonePreference', () => {
  const near = ['n1', 'n2', 'n3', 'n4'].map((name) => candidate(name, 1, 'near'));
  const far = ['f1', 'f2'].map((name) => candidate(name, 1, 'far'));
  const nearOf = (instances: readonly Named[], zone: string | undefined = 'near') => {
    const preference = new ZonePreference<Named>(POLICIES.coord_weighted, zone, randomFrom(3));
    preference.update(instances);
    const counts = count(4_000, () => preference.pick(undefined)?.address);
    return Object.entries(counts).reduce((sum, [name, n]) => (name.startsWith('n') ? sum + n : sum), 0);
  };
  const down = (...names: string[]) =>
    [...near, ...far].map((each) => ({ ...each, ready: !names.includes(each.address) }));

  it('stays in the zone while most of it is there', () => {
    expect(nearOf(down())).toBe(4_000);
    expect(nearOf(down('n1'))).toBe(4_000);
  });

  it('hands on what the zone cannot carry', () => {
    expect(Math.abs(nearOf(down('n1', 'n2')) - 0.7 * 4_000)).toBeLessThan(200);
    expect(Math.abs(nearOf(down('n1', 'n2', 'n3')) - 0.35 * 4_000)).toBeLessThan(200);
    expect(nearOf(down('n1', 'n2', 'n3', 'n4'))).toBe(0);
  });

  it('stays in the zone when there is nothing elsewhere', () => {
    expect(nearOf(down('n1', 'n2', 'n3', 'f1', 'f2'))).toBe(4_000);
  });

  it('sends nothing to what weighs nothing, unless nothing else is there', () => {
    const preference = new ZonePreference<Named>(POLICIES.coord_random, undefined);
    const [idle, working] = [candidate('idle', 0), candidate('working')];
    preference.update([idle, working]);
    expect(count(50, () => preference.pick(undefined)?.address)).toEqual({ working: 50 });
    preference.update([idle, { ...working, ready: false }]);
    expect(preference.pick(undefined)).toBe(idle);
    preference.update([]);
    expect(preference.pick(undefined)).toBeUndefined();
  });
});
