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
});
