import { ValidationError } from '@coord/client';
import { type IssueList, show } from '@coord/client/internal';
import type { GrpcModule, ServiceConfigJson } from './grpc-adapter.js';
import { checkPolicySettings, isPolicyName } from './policy-settings.js';

/**
 * How the calls of a connection are spread over the instances. `round_robin` and `pick_first` are those of
 * grpc-js; the others are the policies `coord_random`, `coord_weighted`, …
 */
export type LoadBalanceStrategy =
  | 'round_robin'
  | 'random'
  | 'weighted'
  | 'least_conn'
  | 'pick_first'
  | 'p2c'
  | 'ring_hash';

export const STRATEGIES: readonly LoadBalanceStrategy[] = [
  'round_robin',
  'random',
  'weighted',
  'least_conn',
  'pick_first',
  'p2c',
  'ring_hash',
];

/** What a connection says about its balancing. */
export interface Balancing {
  readonly strategy?: LoadBalanceStrategy | undefined;
  readonly zone?: string | undefined;
  readonly hashKey?: string | undefined;
  readonly serviceConfig?: ServiceConfigJson | undefined;
}

/** The entry of a `loadBalancingConfig` that stands for the strategy. @throws {ValidationError} */
export function policyOf({ strategy = 'round_robin', zone, hashKey, serviceConfig }: Balancing): object {
  const healthCheckService = healthCheckServiceOf(serviceConfig);
  if (healthCheckService !== undefined && serviceConfig?.loadBalancingConfig !== undefined) {
    const message = 'goes with a strategy; in loadBalancingConfig give a coord_ policy healthCheckService';
    throw new ValidationError([{ path: 'serviceConfig.healthCheckConfig', message }]);
  }
  const name = `coord_${strategy}`;
  if (isPolicyName(name)) return { [name]: checkPolicySettings(name, { zone, hashKey, healthCheckService }) };
  const given = Object.entries({ zone, hashKey, 'serviceConfig.healthCheckConfig': healthCheckService });
  const issues = given
    .filter(([, value]) => value !== undefined)
    .map(([path]) => ({ path, message: `does not go with ${strategy}, which is grpc-js's own` }));
  if (issues.length > 0) throw new ValidationError(issues);
  return { [strategy]: {} };
}

/** @see https://github.com/grpc/proposal/blob/master/A17-client-side-health-checking.md */
function healthCheckServiceOf(config: ServiceConfigJson = {}): string | undefined {
  const { healthCheckConfig } = config;
  if (healthCheckConfig === undefined) return undefined;
  const name: unknown = Reflect.get(Object(healthCheckConfig), 'serviceName');
  if (typeof name === 'string') return name;
  const path = 'serviceConfig.healthCheckConfig.serviceName';
  throw new ValidationError([{ path, message: `must be a string, got ${show(name)}` }]);
}

/**
 * grpc-js takes pick_first, without a word, when it knows none of the policies: all calls to one instance.
 * It also ignores the old `loadBalancingPolicy`.
 */
export function checkPolicies(issues: IssueList, grpc: GrpcModule, config: ServiceConfigJson): void {
  if (config.loadBalancingPolicy !== undefined) {
    const path = 'serviceConfig.loadBalancingPolicy';
    issues.push({ path, message: 'is ignored by grpc-js; give loadBalancingConfig instead' });
  }
  const { loadBalancingConfig: policies } = config;
  if (!Array.isArray(policies) || policies.length === 0) return;
  const { selectLbConfigFromList, parseLoadBalancingConfig } = grpc.experimental;
  try {
    if (selectLbConfigFromList(policies) !== null) return;
    parseLoadBalancingConfig(policies[0]);
  } catch (error) {
    const message = `names no policy that grpc-js knows: ${error instanceof Error ? error.message : error}`;
    issues.push({ path: 'serviceConfig.loadBalancingConfig', message });
  }
}

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

/** The user's config with the policy and, if wanted, the retry policy filled in. */
export function mergeServiceConfig(
  user: ServiceConfigJson,
  policy: object,
  retry: boolean,
): ServiceConfigJson {
  const { loadBalancingConfig = [policy], methodConfig, ...rest } = user;
  const methods: unknown = Array.isArray(methodConfig) ? methodConfig.map(withExactTimeout) : methodConfig;
  const merged = { ...rest, loadBalancingConfig, ...(methods !== undefined && { methodConfig: methods }) };
  if (!retry) return merged;
  const given: readonly unknown[] = Array.isArray(methods) ? methods : [];
  return {
    ...merged,
    // The empty name stands for every method that no other entry names.
    methodConfig: [...given.map(withRetry), ...(given.some(namesAll) ? [] : [ALL_METHODS])],
  };
}

/** grpc-js 1.14.7 takes the digits behind the point for nanoseconds: "0.3s" ends calls at once. An object it takes as it is. */
function withExactTimeout(method: unknown): unknown {
  if (typeof method !== 'object' || method === null || !('timeout' in method)) return method;
  const [, seconds, fraction = ''] = /^(\d+)(?:\.(\d{1,9}))?s$/.exec(String(method.timeout)) ?? [];
  if (seconds === undefined) return method; // refused, or an object already
  return { ...method, timeout: { seconds: Number(seconds), nanos: Number(fraction.padEnd(9, '0')) } };
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
