import type { Endpoint } from './endpoint.js';
import type { EndpointPool } from './endpoint-pool.js';
import { AbortedError, AuthError, ClosedError, ConnectionError } from './errors.js';
import { reasonOf, translateRpcError } from './rpc-errors.js';

/**
 * Asks every endpoint at once until one is found to work with.
 * @param check rejects with what is wrong with an endpoint
 * @throws {ConnectionError} naming every endpoint and why it failed
 * @throws {AuthError} when etcd answers but refuses the credentials
 */
export async function dial(
  pool: EndpointPool,
  timeoutMs: number,
  check: (endpoint: Endpoint) => Promise<void>,
): Promise<void> {
  const attempts = pool.all.map(async (endpoint) => {
    try {
      await check(endpoint);
      pool.succeeded(endpoint);
    } catch (cause) {
      const { error } = translateRpcError(cause, {
        method: 'connect',
        endpoint: endpoint.url,
        timeoutMs,
        refused: 'not-applied',
        lost: 'not-applied',
      });
      pool.failed(endpoint, reasonOf(error));
      throw error;
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
  }
}
