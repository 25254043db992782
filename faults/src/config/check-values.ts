import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import { objectOf, pastsOf, stepsOf } from './config-log.js';
import { keysOf, overridePrefix, rawKey, SECRET_MARK, schemaKey } from './config-names.js';

/** C5: each version of a key fits the schema that stood beside it when it was written. */
export function checkSchemas(log: readonly EtcdEvent[], run: string): Violation[] {
  const violations: Violation[] = [];
  const { checked } = keysOf(run);
  let maximum = Number.POSITIVE_INFINITY;
  for (const step of stepsOf(log)) {
    for (const { key, operation, value, version } of pastsOf(step)) {
      if (key !== checked || operation === 'delete' || operation === 'adopt') continue;
      const n = objectOf(value)?.n;
      if (typeof n === 'number' && n <= maximum) continue;
      const what = `version ${version} of ${key} is ${n}, and the schema allows ${maximum}`;
      violations.push({ invariant: 'C5', what });
    }
    const schema = step.events.find(({ key }) => key === schemaKey(checked));
    if (schema !== undefined) maximum = maximumOf(schema);
  }
  return violations;
}

function maximumOf({ type, value }: EtcdEvent): number {
  if (type === 'delete') return Number.POSITIVE_INFINITY;
  const [, digits] = /"maximum":(\d+)/.exec(value) ?? [];
  return Number(digits);
}

/** C6: what is to be encrypted is nowhere in clear. */
export function checkSecrets(log: readonly EtcdEvent[], run: string): Violation[] {
  const { secret } = keysOf(run);
  const complain = (what: string): Violation[] => [{ invariant: 'C6', what }];
  return log.flatMap(({ type, key, value, revision }) => {
    if (value.includes(SECRET_MARK)) return complain(`revision ${revision} has a secret in clear at ${key}`);
    if (key === rawKey(secret) && type === 'put' && !/^coord:sealed:1:k[12]:[\w-]{40,}$/.test(value))
      return complain(`revision ${revision} has no encrypted value at ${key}`);
    return [];
  });
}

/** C7: an override ends by itself. */
export function checkOverrides(log: readonly EtcdEvent[], run: string): Violation[] {
  const prefix = overridePrefix(keysOf(run).tuned);
  const left = new Set<string>();
  for (const { type, key } of log) {
    if (!key.startsWith(prefix)) continue;
    if (type === 'put') left.add(key);
    else left.delete(key);
  }
  return [...left].map((key) => ({ invariant: 'C7', what: `${key} is still there` }));
}
