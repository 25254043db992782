import { delay } from './backoff.js';
import { monotonicNow } from './clock.js';
import type { Endpoint } from './endpoint.js';
import type { EndpointPool } from './endpoint-pool.js';
import { AbortedError, AuthError, ClosedError, ConnectionError, type CoordError } from './errors.js';
import { isLeaderless, reasonOf, translateRpcError } from './rpc-errors.js';

/** How soon a member without a leader is asked again: an election takes a second or so. */
const ELECTION_PAUSE_MS = 100;

/** Rejects with what is wrong with an endpoint. */
type Check = (endpoint: Endpoint, timeoutMs: number) => Promise<void>;

/**
 * Asks every endpoint at once until one is found to work with. Members that answer but have no leader
 * just now are asked again while there is time: a client may start during an election.
 * @throws {ConnectionError} naming every endpoint and why it failed
 * @throws {AuthError} when etcd answers but refuses the credentials
 */
export async function dial(
  pool: EndpointPool,
  timeoutMs: number,
  check: Check,
  signal?: AbortSignal,
): Promise<void> {
  const expiresAt = monotonicNow() + timeoutMs;
  const found = new AbortController();
  const giveUp = signal === undefined ? found.signal : AbortSignal.any([found.signal, signal]);
  const attempts = pool.all.map(async (endpoint) => {
    for (;;) {
      const leftMs = Math.max(1, expiresAt - monotonicNow());
      try {
        await check(endpoint, leftMs);
        return pool.succeeded(endpoint);
      } catch (cause) {
        const error = connectError(endpoint, cause, timeoutMs);
        pool.failed(endpoint, reasonOf(error));
        const mayRecover = isLeaderless(cause) && expiresAt - monotonicNow() > ELECTION_PAUSE_MS;
        if (!mayRecover) throw error;
      }
      await delay(ELECTION_PAUSE_MS, giveUp);
    }
  });
  try {
    await Promise.any(attempts);
  } catch (cause) {
    const errors: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
    const decisive = errors.find(
      (error) => error instanceof AuthError || error instanceof AbortedError || error instanceof ClosedError,
    );
    if (decisive !== undefined) throw decisive;
    const endpoints = pool.failures;
    const list = endpoints.map(({ endpoint, reason }) => `${endpoint} (${reason})`).join(', ');
    throw new ConnectionError(`cannot connect to etcd: ${list}`, { cause, endpoints });
  } finally {
    found.abort();
  }
}

function connectError(endpoint: Endpoint, cause: unknown, timeoutMs: number): CoordError {
  return translateRpcError(cause, {
    method: 'connect',
    endpoint: endpoint.url,
    timeoutMs,
    refused: 'not-applied',
    lost: 'not-applied',
  }).error;
}
