import type { ServiceConfigJson } from './grpc-adapter.js';

/** How the calls of a connection are spread over the instances. */
export type LoadBalanceStrategy = 'round_robin' | 'pick_first';

export const STRATEGIES: readonly LoadBalanceStrategy[] = ['round_robin', 'pick_first'];

/**
 * For instances that go away: UNAVAILABLE means that a call was most likely not processed.
 * @see https://github.com/grpc/proposal/blob/master/A6-client-retries.md
 */
const RETRY_POLICY = {
  maxAttempts: 4,
  initialBackoff: '0.05s',
  maxBackoff: '1s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
};

/** The user's config with the strategy and, if wanted, the retry policy filled in. */
export function mergeServiceConfig(
  user: ServiceConfigJson,
  strategy: LoadBalanceStrategy,
  retry: boolean,
): ServiceConfigJson {
  const { loadBalancingConfig = [{ [strategy]: {} }] } = user;
  const merged = { ...user, loadBalancingConfig };
  if (!retry) return merged;
  const methods: readonly unknown[] = Array.isArray(user.methodConfig) ? user.methodConfig : [];
  return {
    ...merged,
    // The empty name stands for every method that no other entry names.
    methodConfig: [...methods.map(withRetry), ...(methods.some(namesAll) ? [] : [ALL_METHODS])],
  };
}

const ALL_METHODS = { name: [{}], retryPolicy: RETRY_POLICY };

function withRetry(method: unknown): unknown {
  if (typeof method !== 'object' || method === null) return method;
  return 'retryPolicy' in method || 'hedgingPolicy' in method
    ? method
    : { ...method, retryPolicy: RETRY_POLICY };
}

function namesAll(method: unknown): boolean {
  if (typeof method !== 'object' || method === null || !('name' in method)) return false;
  const names: readonly unknown[] = Array.isArray(method.name) ? method.name : [];
  return names.some((name) => typeof name === 'object' && name !== null && !Reflect.get(name, 'service'));
}
