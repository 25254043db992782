import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EndpointPool } from './endpoint-pool.js';
import { createCoordLogger } from './logger.js';
import { resolveClientOptions } from './options.js';

const logger = createCoordLogger(undefined, 'silent');
let pool: EndpointPool;

/** No call is made: an endpoint connects at its first one. */
function poolOf(...endpoints: string[]): EndpointPool {
  pool = new EndpointPool(resolveClientOptions({ endpoints }), logger);
  return pool;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  pool.close();
  vi.useRealTimers();
});

describe('EndpointPool', () => {
  it('stays with the endpoint in use until that fails', () => {
    poolOf('a:1', 'b:1', 'c:1');
    const first = pool.current;
    const other = pool.all.find((each) => each !== first);
    if (other === undefined) throw new Error('there are three');
    expect(pool.state).toBe('idle');
    pool.succeeded(first);
    pool.succeeded(other);
    pool.failed(other, 'x');
    expect(pool.current).toBe(first);
    expect(pool.state).toBe('ready');
    pool.failed(first, 'down');
    expect(pool.current).not.toBe(first);
  });

  it('tries each in turn, then the one whose failure is the longest ago', () => {
    poolOf('a:1', 'b:1', 'c:1');
    const tried = [];
    for (let i = 0; i < 6; i++) {
      vi.advanceTimersByTime(10);
      tried.push(pool.endpoint);
      pool.failed(pool.current, `failure ${i}`);
    }
    expect(new Set(tried.slice(0, 3)).size).toBe(3);
    expect(tried.slice(3)).toEqual(tried.slice(0, 3));
    expect(pool.failures).toHaveLength(3);
  });

  it('takes one that answers when the one in use does not', () => {
    poolOf('a:1', 'b:1');
    const [a, b] = pool.all;
    if (!a || !b) throw new Error('there are two');
    pool.failed(a, 'x');
    pool.failed(b, 'x');
    pool.succeeded(b);
    expect(pool.current).toBe(b);
    expect(pool.state).toBe('ready');
    pool.succeeded(a);
    expect(pool.current).toBe(b); // no reason to move
  });

  it('with a single endpoint stays there, degraded', () => {
    poolOf('a:1');
    pool.failed(pool.current, 'down');
    expect([pool.endpoint, pool.state]).toEqual(['http://a:1', 'degraded']);
    expect(pool.endpoints).toEqual([{ endpoint: 'http://a:1', state: 'unhealthy', reason: 'down' }]);
  });

  it('tells each change once, a throwing subscriber harms nobody', () => {
    poolOf('a:1');
    const states: string[] = [];
    pool.subscribe(() => {
      throw new Error('mine');
    });
    const stop = pool.subscribe(({ state }) => states.push(state));
    pool.succeeded(pool.current);
    pool.succeeded(pool.current);
    pool.failed(pool.current, 'down');
    pool.failed(pool.current, 'down');
    stop();
    pool.succeeded(pool.current);
    expect(states).toEqual(['ready', 'degraded']);
  });

  it('gives a silent line up for a new one, though a last answer came after the call had begun', async () => {
    poolOf('a:1');
    const { current } = pool;
    const connection = async () => await current.connection('KV', 'range');
    const first = await connection();
    vi.advanceTimersByTime(100);
    const begun = performance.now();
    vi.advanceTimersByTime(3_000);
    pool.succeeded(current); // something else is answered: the line is alive
    vi.advanceTimersByTime(1_000);
    pool.unresponsive(current, 'no answer', begun);
    expect(await connection()).toBe(first);
    vi.advanceTimersByTime(10_000);
    pool.unresponsive(current, 'no answer', begun);
    expect(await connection()).not.toBe(first);
  });
});
