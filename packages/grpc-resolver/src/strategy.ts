import { ValidationError } from '@coord/client';
import { show } from '@coord/client/internal';
import type { ServiceConfigJson } from './grpc-adapter.js';
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
