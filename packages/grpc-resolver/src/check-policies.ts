import { type IssueList, show } from '@coord/client/internal';
import type { GrpcModule } from './grpc-adapter.js';
import { isObject } from './json-checks.js';
import { POLICIES } from './policies.js';

/**
 * Each must be one that grpc-js can read, or not know at all; one of them it must know. Otherwise it would take
 * pick_first without a word, and call one instance only.
 */
export function checkPolicies(issues: IssueList, grpc: GrpcModule, path: string, policies: unknown): void {
  if (policies === undefined) return;
  if (!Array.isArray(policies)) {
    issues.push({ path, message: `must be an array, got ${show(policies)}` });
    return;
  }
  const { isLoadBalancerNameRegistered } = grpc.experimental;
  const before = issues.length;
  let known = 0;
  for (const [index, policy] of policies.entries()) {
    const names = isObject(policy) ? Object.keys(policy) : [];
    const [name = ''] = names;
    if (!isObject(policy) || names.length !== 1) {
      issues.push({ path: `${path}[${index}]`, message: 'must be an object with the name of one policy' });
      continue;
    }
    if (!isLoadBalancerNameRegistered(name)) continue; // for other versions, or other languages
    known += 1;
    checkSettings(issues, grpc, `${path}[${index}].${name}`, name, policy[name]);
  }
  if (known > 0 || issues.length > before) return;
  const names = policies.map((policy) => Object.keys(policy)[0]).join(', ');
  const usual = ['round_robin', 'pick_first', ...Object.keys(POLICIES)].join(', ');
  const message = `names no policy that grpc-js knows (${names || 'none at all'}); there are ${usual}`;
  issues.push({ path, message });
}

function checkSettings(
  issues: IssueList,
  grpc: GrpcModule,
  path: string,
  name: string,
  settings: unknown,
): void {
  if (!isObject(settings)) {
    issues.push({ path, message: `must be an object, got ${show(settings)}` });
    return;
  }
  try {
    grpc.experimental.parseLoadBalancingConfig({ [name]: settings });
  } catch (error) {
    const message = `is refused by the policy: ${error instanceof Error ? error.message : show(error)}`;
    issues.push({ path, message });
  }
}
