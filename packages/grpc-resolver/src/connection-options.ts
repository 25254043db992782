import {
  assertValid,
  checkKeyPart,
  type IssueList,
  type NamesOf,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import type { ServiceRegistry } from '@coord/registry';
import { registryInternalsOf } from '@coord/registry/internal';
import * as defaultGrpc from '@grpc/grpc-js';
import { checkGrpc } from './check-grpc.js';
import { checkServiceConfig } from './check-service-config.js';
import { checkFollowOptions, FOLLOW_NAMES, type FollowOptions } from './follow-options.js';
import type { GrpcModule, ServiceConfigJson } from './grpc-adapter.js';
import { withDefaults } from './merge-service-config.js';
import { registerPolicies } from './register-policies.js';
import type { ServiceConfig } from './service-config.js';
import { type LoadBalanceStrategy, policyOf, STRATEGIES } from './strategy.js';
import { toJson } from './to-json.js';

export interface ConnectionOptions extends FollowOptions {
  /** @default 'round_robin' */
  readonly strategy?: LoadBalanceStrategy | undefined;
  /** Instances of this zone are preferred, while they can carry the load. Not with grpc-js's own strategies, nor `ring_hash`. */
  readonly zone?: string | undefined;
  /** For `ring_hash`: calls with the same value of this metadata key go to the same instance. */
  readonly hashKey?: string | undefined;
  /** @default insecure */
  readonly credentials?: defaultGrpc.ChannelCredentials | undefined;
  /** Further options of the channel; `grpc.service_config` goes into `serviceConfig` instead. */
  readonly channelOptions?: defaultGrpc.ChannelOptions | undefined;
  /**
   * A service config (timeouts, retries…), as JSON; `strategy` and `retry` are merged into it. What it says goes
   * before what is stored beside the service. With a `healthCheckConfig` each server is asked for its health by
   * grpc.health.v1, under that name ('' = the server as a whole).
   */
  readonly serviceConfig?:
    | (ServiceConfig & { readonly healthCheckConfig?: { readonly serviceName: string } | undefined })
    | undefined;
  /**
   * Repeat calls that fail with UNAVAILABLE, up to 4 attempts, where no service config says how to repeat them. It
   * may repeat calls that were processed. @default false
   */
  readonly retry?: boolean | undefined;
  /** The copy of `@grpc/grpc-js` to use, if it is not the one this package finds. */
  readonly grpc?: GrpcModule | undefined;
}

/** What the options say about calls, and what goes where neither they nor the stored config say anything. */
export function wishesOf(options: ConnectionOptions) {
  const { strategy, serviceConfig = {}, retry = false } = options;
  const chosen = strategy === undefined ? {} : { loadBalancingConfig: [policyOf(options)] };
  const own = { ...serviceConfig, healthCheckConfig: undefined, ...chosen };
  return {
    // A copy, as all of it goes to grpc-js as JSON: what the caller changes in it later on has not been checked.
    own: JSON.parse(toJson('serviceConfig', own)) as ServiceConfigJson,
    complete: (config: ServiceConfigJson) => withDefaults(config, { round_robin: {} }, retry),
  };
}

/** @returns a copy of the options @throws {ValidationError} naming everything that is wrong */
export function checkConnection(
  registry: ServiceRegistry,
  serviceName: string,
  given: ConnectionOptions | undefined,
): ConnectionOptions {
  const issues = checkKeyPart([], 'serviceName', serviceName);
  const options = readOptions(issues, given, NAMES);
  if (registryInternalsOf(registry) === undefined) {
    issues.push({ path: 'registry', message: 'must be made by createRegistry()' });
  }
  readInput('options', () => checkFields(issues, options));
  return options;
}

const NAMES = {
  ...FOLLOW_NAMES,
  strategy: true,
  zone: true,
  hashKey: true,
  credentials: true,
  channelOptions: true,
  serviceConfig: true,
  retry: true,
  grpc: true,
} satisfies NamesOf<ConnectionOptions>;

/** @throws {ValidationError} */
function checkFields(issues: IssueList, options: ConnectionOptions): void {
  const { strategy, serviceConfig, channelOptions, credentials, retry, grpc = defaultGrpc } = options;
  if (strategy !== undefined && !STRATEGIES.includes(strategy)) {
    issues.push({
      path: 'strategy',
      message: `must be one of ${STRATEGIES.join(', ')}, got ${show(strategy)}`,
    });
  }
  checkObject(issues, 'serviceConfig', serviceConfig);
  checkObject(issues, 'channelOptions', channelOptions);
  for (const path of ['strategy', 'zone', 'hashKey'] as const) {
    if (options[path] === undefined || serviceConfig?.loadBalancingConfig === undefined) continue;
    issues.push({ path, message: `give either a ${path} or serviceConfig.loadBalancingConfig` });
  }
  if (channelOptions?.['grpc.service_config'] !== undefined) {
    issues.push({
      path: 'channelOptions["grpc.service_config"]',
      message: 'give it as serviceConfig instead',
    });
  }
  if (retry !== undefined && typeof retry !== 'boolean') {
    issues.push({ path: 'retry', message: `must be true or false, got ${show(retry)}` });
  }
  checkFollowOptions(issues, options);
  checkGrpc(issues, grpc);
  if (credentials !== undefined && !(credentials instanceof grpc.ChannelCredentials)) {
    const message =
      'are not made by the @grpc/grpc-js in use: there are two copies of it; pass the one that you use as `grpc`';
    issues.push({ path: 'credentials', message });
  }
  assertValid(issues);
  policyOf(options);
  registerPolicies(grpc);
  const { healthCheckConfig: _read, ...rest } = serviceConfig ?? {};
  checkServiceConfig(issues, grpc, 'serviceConfig', rest);
  assertValid(issues);
}

/** @returns whether it is one, or absent */
function checkObject(issues: IssueList, path: string, value: unknown): boolean {
  const valid = value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value));
  if (!valid) issues.push({ path, message: `must be an object, got ${show(value)}` });
  return valid;
}
