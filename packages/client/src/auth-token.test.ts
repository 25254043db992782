import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AuthToken } from './auth-token.js';
import type { Endpoint } from './endpoint.js';
import { EndpointPool } from './endpoint-pool.js';
import { createCoordLogger } from './logger.js';
import { resolveClientOptions } from './options.js';

interface Login {
  readonly endpoint: Endpoint;
  resolve(token: string | undefined): void;
  reject(error: Error): void;
}

let logins: Login[];
let token: AuthToken;
const options = resolveClientOptions({ endpoints: ['a:1', 'b:1'] });
const [a, b] = new EndpointPool(options, createCoordLogger(undefined, 'silent')).all;
if (!a || !b) throw new Error('there are two');

beforeEach(() => {
  vi.useFakeTimers();
  logins = [];
  token = new AuthToken(
    (endpoint) =>
      new Promise((resolve, reject) => {
        logins.push({ endpoint, resolve, reject });
      }),
  );
});
afterEach(() => {
  vi.useRealTimers();
});

/** Waits for the login number `index`, and answers it. */
async function answer(index: number, value: string | Error): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
  const login = logins[index];
  if (login === undefined) throw new Error(`only ${logins.length} logins`);
  if (typeof value === 'string') login.resolve(value);
  else login.reject(value);
  await vi.advanceTimersByTimeAsync(0);
}

function refusal(): Error {
  const details = 'etcdserver: authentication failed, invalid user ID or password';
  return Object.assign(new Error(details), { code: 3, details });
}

function jwt(lifeMs: number): string {
  const claims = { exp: Math.floor((Date.now() + lifeMs) / 1_000), username: 'u', revision: 1 };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
}

describe('AuthToken', () => {
  it('logs in once, whoever asks at whichever endpoint', async () => {
    const asked = [token.fetch(a), token.fetch(b), token.fetch(a), token.fetch(b)];
    await answer(0, 'one');
    expect(await Promise.all(asked)).toEqual(['one', 'one', 'one', 'one']);
    expect([logins.length, token.known, token.value]).toEqual([1, true, 'one']);
    await token.fetch(b);
    expect(logins).toHaveLength(1);
  });

  it('another endpoint tries on its own when the first does not answer in time', async () => {
    const frozen = token.fetch(a);
    const other = token.fetch(b);
    await vi.advanceTimersByTimeAsync(400);
    expect(logins).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(logins.map(({ endpoint }) => endpoint)).toEqual([a, b]);
    await answer(1, 'two');
    expect(await other).toBe('two');
    await answer(0, 'late');
    expect(await frozen).toBe('late');
  });

  it('another endpoint tries at once when the first fails', async () => {
    const dead = expect(token.fetch(a)).rejects.toThrow('dead');
    const other = token.fetch(b);
    await answer(0, new Error('dead'));
    await dead;
    await answer(1, 'two');
    expect(await other).toBe('two');
  });

  it('a refusal goes for all endpoints, and is not tried again at once', async () => {
    const both = [token.fetch(a), token.fetch(b)].map((each) => expect(each).rejects.toThrow('failed'));
    await answer(0, refusal());
    await Promise.all(both);
    for (let times = 0; times < 50; times++) await expect(token.fetch(b)).rejects.toThrow('failed');
    expect(logins).toHaveLength(1);
  });

  it('waits longer after each refusal, up to 5 s, and starts afresh after a success', async () => {
    const refused = async (login: number) => {
      const failed = expect(token.fetch(a)).rejects.toThrow('failed');
      await answer(login, refusal());
      await failed;
    };
    let login = 0;
    for (const ceilingMs of [200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
      await refused(login++);
      await vi.advanceTimersByTimeAsync(ceilingMs / 2 - 1);
      await expect(token.fetch(a)).rejects.toThrow('failed');
      expect(logins).toHaveLength(login);
      await vi.advanceTimersByTimeAsync(ceilingMs / 2 + 1);
    }
    const succeeded = token.fetch(a);
    await answer(login++, 'good');
    await succeeded;
    token.invalidate('good');
    await refused(login++);
    await vi.advanceTimersByTimeAsync(201);
    await refused(login++);
  });

  it('what failed for another reason is tried again at once', async () => {
    const failed = expect(token.fetch(a)).rejects.toThrow('down');
    await answer(0, new Error('down'));
    await failed;
    const again = token.fetch(a);
    await answer(1, 'good');
    expect(await again).toBe('good');
  });

  it('forgets only the token that was refused', async () => {
    const first = token.fetch(a);
    await answer(0, 'one');
    await first;
    token.invalidate('older');
    expect(token.known).toBe(true);
    token.invalidate('one');
    expect([token.known, token.value]).toEqual([false, undefined]);
  });

  it('a JWT is renewed before its end, and not used to its very end', async () => {
    vi.setSystemTime(1_000_000_000_000);
    const first = token.fetch(a);
    await answer(0, jwt(100_000));
    await first;
    await vi.advanceTimersByTimeAsync(79_000);
    expect([token.known, token.ageing]).toEqual([true, false]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect([token.known, token.ageing]).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(token.known).toBe(false);
    const next = token.fetch(a);
    await answer(1, jwt(100_000));
    await next;
    expect([token.known, token.ageing]).toEqual([true, false]);
  });

  it.each(['abc.123', 'a.b.c', `a.${Buffer.from('{"exp":"x"}').toString('base64url')}.c`, jwt(-5_000)])(
    'a token whose end is not known is used until it is refused: %s',
    async (value) => {
      const fetched = token.fetch(a);
      await answer(0, value);
      expect(await fetched).toBe(value);
      await vi.advanceTimersByTimeAsync(1e9);
      expect([token.known, token.ageing]).toEqual([true, false]);
    },
  );
});
