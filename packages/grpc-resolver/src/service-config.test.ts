import { describe, expect, it } from 'vitest';
import { mergeServiceConfig } from './service-config.js';

const retryPolicy = expect.objectContaining({ retryableStatusCodes: ['UNAVAILABLE'] });

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
      [own, { ...slow, retryPolicy }, { name: [{}], retryPolicy }],
    );
    const all = { name: [{}], timeout: '1s' };
    expect(mergeServiceConfig({ methodConfig: [all] }, { round_robin: {} }, true).methodConfig).toEqual([
      { ...all, retryPolicy },
    ]);
  });
});
