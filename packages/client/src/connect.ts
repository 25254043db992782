import type { CoordClient } from './client.js';
import { EtcdClient } from './etcd-client.js';
import type { WaitOptions } from './kv.js';
import { type ClientOptions, resolveClientOptions } from './options.js';

/**
 * Connects to etcd and resolves when an endpoint has answered. An election under way is waited for.
 *
 * @throws {ConnectionError} when no endpoint answers within `dialTimeoutMs`: it names every endpoint and why it failed
 * @throws {AuthError} when etcd refuses the user or requires one
 * @throws {ValidationError} for bad options, before anything is sent
 * @throws {AbortedError} when `signal` fires
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * try {
 *   await client.kv.put('greeting', 'hello');
 *   console.log((await client.kv.get('greeting'))?.text());
 * } finally {
 *   await client.close();
 * }
 * ```
 */
export async function connect(options?: ClientOptions, wait: WaitOptions = {}): Promise<CoordClient> {
  const client = new EtcdClient(resolveClientOptions(options));
  try {
    await client.dial(wait);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/**
 * Makes a client that connects at its first use.
 *
 * @throws {ValidationError} for bad options
 * @example
 * ```ts
 * import { createClient } from '@coord/client';
 *
 * const client = createClient({ endpoints: ['127.0.0.1:2379'], namespace: '/my-app' });
 * try {
 *   console.log(await client.ping());
 * } finally {
 *   await client.close();
 * }
 * ```
 */
export function createClient(options?: ClientOptions): CoordClient {
  return new EtcdClient(resolveClientOptions(options));
}
