import { type IssueList, show } from '@coord/client/internal';
import { checkMethods } from './check-method-config.js';
import { checkPolicies } from './check-policies.js';
import type { GrpcModule } from './grpc-adapter.js';
import { checkFields, checkNumber, isObject } from './json-checks.js';

/**
 * Checks a service config strictly. grpc-js itself discards a wrong one together with the addresses it came with, or
 * misreads it: a policy that it does not know becomes pick_first, a misspelt field nothing at all.
 * @param path of the config, for the issues: `serviceConfig`
 */
export function checkServiceConfig(issues: IssueList, grpc: GrpcModule, path: string, config: unknown): void {
  if (!isObject(config)) {
    issues.push({ path, message: `must be an object, got ${show(config)}` });
    return;
  }
  checkFields(issues, path, config, ['loadBalancingConfig', 'methodConfig', 'retryThrottling'], {
    loadBalancingPolicy: 'is ignored by grpc-js; give loadBalancingConfig instead',
    healthCheckConfig:
      'is ignored by grpc-js; give a coord_ policy healthCheckService in loadBalancingConfig',
  });
  checkPolicies(issues, grpc, `${path}.loadBalancingConfig`, config.loadBalancingConfig);
  checkMethods(issues, grpc, `${path}.methodConfig`, config.methodConfig);
  checkThrottling(issues, `${path}.retryThrottling`, config.retryThrottling);
}

/** grpc-js rounds both to thousandths. */
function checkThrottling(issues: IssueList, path: string, throttling: unknown): void {
  if (throttling === undefined) return;
  if (!isObject(throttling)) {
    issues.push({ path, message: `must be an object, got ${show(throttling)}` });
    return;
  }
  checkFields(issues, path, throttling, ['maxTokens', 'tokenRatio']);
  checkNumber(issues, `${path}.maxTokens`, throttling.maxTokens, 0.001, 1_000);
  checkNumber(issues, `${path}.tokenRatio`, throttling.tokenRatio, 0.001, 1_000);
}
