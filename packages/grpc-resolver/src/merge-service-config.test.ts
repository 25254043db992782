import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { overlay, withDefaults } from './merge-service-config.js';

const retryPolicy = expect.objectContaining({ retryableStatusCodes: ['UNAVAILABLE'] });

describe('withDefaults', () => {
  it('repeats no calls unless asked to', () => {
    expect(withDefaults({}, { round_robin: {} }, false)).toEqual({
      loadBalancingConfig: [{ round_robin: {} }],
    });
  });

  it('leaves a policy that is there', () => {
    const config = { loadBalancingConfig: [{ coord_p2c: {} }] };
    expect(withDefaults(config, { round_robin: {} }, false)).toEqual(config);
  });

  it('adds the retry policy for all methods', () => {
    expect(withDefaults({}, { pick_first: {} }, true)).toEqual({
      loadBalancingConfig: [{ pick_first: {} }],
      methodConfig: [{ name: [{}], retryPolicy }],
    });
  });

  it('leaves policies alone that are there', () => {
    const own = { name: [{ service: 'a' }], hedgingPolicy: {} };
    const slow = { name: [{ service: 'b' }], timeout: '1s' };
    expect(withDefaults({ methodConfig: [own, slow] }, { round_robin: {} }, true)).toMatchObject({
      methodConfig: [own, { ...slow, retryPolicy }, { name: [{}], retryPolicy }],
    });
    const all = { name: [{}], timeout: '1s' };
    expect(withDefaults({ methodConfig: [all] }, { round_robin: {} }, true)).toMatchObject({
      methodConfig: [{ ...all, retryPolicy }],
    });
  });
});

describe('overlay', () => {
  const weighted = [{ coord_weighted: {} }];

  it('takes from the stored one what the own one leaves open', () => {
    const retryThrottling = { maxTokens: 10, tokenRatio: 0.1 };
    const stored = { loadBalancingConfig: weighted, retryThrottling };
    expect(overlay({}, stored)).toEqual(stored);
    expect(overlay({ loadBalancingConfig: undefined }, stored)).toEqual(stored);
    const own = { loadBalancingConfig: [{ pick_first: {} }] };
    expect(overlay(own, stored)).toEqual({ ...own, retryThrottling });
    expect(overlay(own, {})).toEqual(own);
  });

  it('combines what both say of a method, though they name it less or more exactly', () => {
    const own = {
      methodConfig: [
        { name: [{ service: 's', method: 'm' }, { service: 't' }], timeout: '1s' },
        { name: [{ service: 's' }], retryPolicy: { own: true } },
      ],
    };
    const stored = {
      methodConfig: [
        { name: [{ service: 's' }], timeout: '2s', hedgingPolicy: { stored: true } },
        { name: [{}], timeout: '3s', retryPolicy: { stored: true } },
        { name: [{ service: 't', method: 'n' }], timeout: '4s' },
      ],
    };
    expect(overlay(own, stored).methodConfig).toEqual([
      { name: [{ service: 's', method: 'm' }], timeout: '1s', hedgingPolicy: { stored: true } },
      { name: [{ service: 't' }], timeout: '1s', retryPolicy: { stored: true } },
      { name: [{ service: 's' }], timeout: '2s', retryPolicy: { own: true } },
      { name: [{}], timeout: '3s', retryPolicy: { stored: true } },
      { name: [{ service: 't', method: 'n' }], timeout: '1s' },
    ]);
  });

  it('says of every call what the own one says over what the stored one says', () => {
    const names = ['s', 't'].flatMap((service) => [
      { service },
      { service, method: 'm' },
      { service, method: 'n' },
    ]);
    const fields = ['timeout', 'retryPolicy', 'hedgingPolicy'];
    // Every choice of fields for a name: each bit of the seed says whether one is there.
    const configOf = (seed: number, from: string) => ({
      methodConfig: [{}, ...names].flatMap((name, index) => {
        const bits = Math.imul(seed + 1, 0x9e3779b1 + index * 0x85ebca6b) >>> 13;
        if ((bits & 1) === 0) return [];
        const given = fields.filter((_field, bit) => (bits >> (bit + 1)) & 1).slice(0, 2);
        return [{ name: [name], ...Object.fromEntries(given.map((field) => [field, `${from} ${index}`])) }];
      }),
    });
    type Entry = { name: { service?: string; method?: string }[]; [field: string]: unknown };
    /** As grpc-js looks a call up. */
    const lookUp = (entries: Entry[], service: string, method: string): Record<string, unknown> => {
      for (const wanted of [{ service, method }, { service }, {}]) {
        const found = entries.find(({ name }) => name.some((each) => isDeepStrictEqual(each, wanted)));
        if (found !== undefined) return { ...found, name: undefined };
      }
      return {};
    };
    let overlaid = 0;
    for (let seed = 0; seed < 400; seed++) {
      const [own, stored] = [configOf(seed, 'own'), configOf(seed * 7 + 3, 'stored')];
      const merged: { methodConfig?: Entry[] } = overlay(own, stored);
      for (const service of ['s', 't', 'u']) {
        for (const method of ['m', 'n', 'o']) {
          const [mine, theirs] = [
            lookUp(own.methodConfig, service, method),
            lookUp(stored.methodConfig, service, method),
          ];
          const expected: Record<string, unknown> = { ...theirs, ...mine };
          if (mine.retryPolicy ?? mine.hedgingPolicy) {
            for (const field of ['retryPolicy', 'hedgingPolicy']) expected[field] = mine[field];
          }
          expect(lookUp(merged.methodConfig ?? [], service, method)).toEqual(expected);
          overlaid += Object.keys(mine).length > 1 && Object.keys(theirs).length > 1 ? 1 : 0;
        }
      }
    }
    expect(overlaid).toBeGreaterThan(500);
  });
});
