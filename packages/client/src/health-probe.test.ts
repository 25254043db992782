import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Endpoint } from './endpoint.js';
import { EndpointPool } from './endpoint-pool.js';
import { HealthProbe } from './health-probe.js';
import { createCoordLogger } from './logger.js';
import { resolveClientOptions } from './options.js';

let probe: HealthProbe;
let asked: Endpoint[];
let answer: () => Promise<void>;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  answer = () => Promise.resolve();
  probe = new HealthProbe((endpoint) => {
    asked.push(endpoint);
    return answer();
  });
});
afterEach(() => {
  probe.close();
  vi.useRealTimers();
});

/** No call is made: an endpoint connects at its first one. */
function endpoint(): Endpoint {
  return new EndpointPool(resolveClientOptions(), createCoordLogger(undefined, 'silent')).current;
}

describe('HealthProbe', () => {
  it('asks an endpoint that has failed less and less often, until it has recovered', async () => {
    const sick = endpoint();
    probe.failed(sick);
    await vi.advanceTimersByTimeAsync(450);
    expect(asked).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(600);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(60_000);
    const inAMinute = asked.length;
    expect(inAMinute).toBeGreaterThanOrEqual(6);
    expect(inAMinute).toBeLessThanOrEqual(15);
    probe.recovered(sick);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(inAMinute);
    probe.failed(sick);
    await vi.advanceTimersByTimeAsync(1_050); // soon again: this is a new trouble
    expect(asked).toHaveLength(inAMinute + 1);
  });

  it('asks each endpoint on its own, one question at a time, and goes on after a failed one', async () => {
    const [slow, quick] = [endpoint(), endpoint()];
    answer = () => (asked.at(-1) === slow ? new Promise(() => undefined) : Promise.reject(new Error('sick')));
    probe.failed(slow);
    probe.failed(quick);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(asked.filter((each) => each === slow)).toHaveLength(1);
    expect(asked.filter((each) => each === quick).length).toBeGreaterThan(3);
  });

  it('more failures of an endpoint that is being asked change nothing', async () => {
    const sick = endpoint();
    for (let times = 0; times < 100; times++) probe.failed(sick);
    await vi.advanceTimersByTimeAsync(1_050);
    expect(asked).toHaveLength(1);
  });

  it('asks nobody after it was closed', async () => {
    probe.failed(endpoint());
    probe.close();
    probe.failed(endpoint()); // a call that was under way has failed of it
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
