import { ValidationError } from '@coord/client';
import { type IssueList, show } from '@coord/client/internal';
import { POLICIES, type PolicyName } from './policies.js';

/** What a `loadBalancingConfig` may say to one of our policies: `[{ "coord_weighted": { "zone": "eu-1" } }]`. */
export interface PolicySettings {
  /** Instances of this zone are preferred. */
  readonly zone?: string | undefined;
  /** `coord_ring_hash` alone: the metadata key of calls whose value chooses the instance. */
  readonly hashKey?: string | undefined;
  /** Asks each instance for its health by grpc.health.v1, under this name; '' = the server as a whole. */
  readonly healthCheckService?: string | undefined;
}

/** By its own names only: `toString` is no policy. */
export function isPolicyName(name: string): name is PolicyName {
  return Object.hasOwn(POLICIES, name);
}

/** @throws {ValidationError} naming everything that is wrong */
export function checkPolicySettings(name: PolicyName, settings: unknown): PolicySettings {
  const issues: IssueList = [];
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new ValidationError([{ path: name, message: `must be an object, got ${show(settings)}` }]);
  }
  const known = ['zone', 'hashKey', 'healthCheckService'];
  for (const [setting, value] of Object.entries(settings)) {
    const path = `${name}.${setting}`;
    const mayBeEmpty = setting === 'healthCheckService';
    if (!known.includes(setting)) {
      issues.push({ path, message: `is no setting; there are ${known.join(', ')}` });
    } else if (value !== undefined && (typeof value !== 'string' || (value === '' && !mayBeEmpty))) {
      issues.push({ path, message: `must be a non-empty string, got ${show(value)}` });
    }
  }
  const { zone, hashKey, healthCheckService }: PolicySettings = settings;
  checkHashKey(issues, name, hashKey);
  if (zone !== undefined && name === 'coord_ring_hash') {
    issues.push({
      path: `${name}.zone`,
      message: 'does not go with hashing: keys would change sides as load spills over',
    });
  }
  if (issues.length > 0) throw new ValidationError(issues);
  return { zone, hashKey, healthCheckService };
}

/** A key of ASCII metadata. @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const METADATA_KEY = /^[0-9a-z_.-]+$/i;

function checkHashKey(issues: IssueList, name: PolicyName, hashKey: unknown): void {
  const path = `${name}.hashKey`;
  if (name !== 'coord_ring_hash') {
    if (hashKey !== undefined) issues.push({ path, message: 'is for coord_ring_hash' });
  } else if (hashKey === undefined) {
    issues.push({ path, message: 'is missing: the metadata key whose value chooses the instance' });
  } else if (typeof hashKey === 'string' && (!METADATA_KEY.test(hashKey) || /-bin$/i.test(hashKey))) {
    issues.push({ path, message: `must be a metadata key for text, got ${show(hashKey)}` });
  }
}
