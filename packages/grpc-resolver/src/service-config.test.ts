import { describe, expect, it } from 'vitest';
import { mergeServiceConfig } from './service-config.js';

const retryPolicy = expect.objectContaining({ retryableStatusCodes: ['UNAVAILABLE'] });

const oneSecond = { seconds: 1, nanos: 0 };

describe('mergeServiceConfig', () => {
  it('repeats no calls unless asked to', () => {
    expect(mergeServiceConfig({}, { round_robin: {} }, false)).toEqual({
      loadBalancingConfig: [{ round_robin: {} }],
    });
  });

  it('adds the retry policy for all methods', () => {
    expect(mergeServiceConfig({}, { pick_first: {} }, true)).toEqual({
      loadBalancingConfig: [{ pick_first: {} }],
      methodConfig: [{ name: [{}], retryPolicy }],
    });
  });

  it("leaves the user's own policies alone", () => {
    const own = { name: [{ service: 'a' }], hedgingPolicy: {} };
    const slow = { name: [{ service: 'b' }], timeout: '1s' };
    expect(mergeServiceConfig({ methodConfig: [own, slow] }, { round_robin: {} }, true).methodConfig).toEqual(
      [own, { ...slow, timeout: oneSecond, retryPolicy }, { name: [{}], retryPolicy }],
    );
    const all = { name: [{}], timeout: '1s' };
    expect(mergeServiceConfig({ methodConfig: [all] }, { round_robin: {} }, true).methodConfig).toEqual([
      { ...all, timeout: oneSecond, retryPolicy },
    ]);
  });

  it.each([
    ['0.3s', { seconds: 0, nanos: 300_000_000 }],
    ['12.000000001s', { seconds: 12, nanos: 1 }],
    ['2s', { seconds: 2, nanos: 0 }],
    [oneSecond, oneSecond],
    ['soon', 'soon'],
  ])('hands a timeout of %j over as it is meant', (timeout, exact) => {
    const config = { methodConfig: [{ name: [{}], timeout }] };
    expect(mergeServiceConfig(config, { round_robin: {} }, false).methodConfig).toEqual([
      { name: [{}], timeout: exact },
    ]);
  });
});
