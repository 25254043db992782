import { ValidationError, type WaitOptions } from '@coord/client';
import type { IssueList } from '@coord/client/internal';
import { show } from '@coord/client/internal';
import type { ConfigCenter } from '@coord/config';
import { type ConfigCenterInternals, internalsOfCenter, normalizeKey } from '@coord/config/internal';

/** A key in a centre that has records beside it. */
export interface RecordTarget {
  readonly center: ConfigCenterInternals;
  readonly key: string;
}

/** @throws {ValidationError} at once where there is no centre to go on with */
export function checkTarget(issues: IssueList, config: ConfigCenter, key: string): RecordTarget {
  const name = normalizeKey(issues, key);
  const center = typeof config === 'object' && config !== null ? internalsOfCenter(config) : undefined;
  if (center === undefined) {
    issues.push({ path: 'config', message: `must be made by createConfigCenter(), got ${show(config)}` });
    throw new ValidationError(issues);
  }
  return { center, key: name };
}

/**
 * What is stored beside an encrypted key would not be encrypted.
 * @throws {ValidationError}
 */
export async function assertNotEncrypted({ center, key }: RecordTarget, wait: WaitOptions): Promise<void> {
  if (!(await center.isEncrypted(key, wait.signal))) return;
  const message = `${show(key)} is encrypted; what is laid over it for a while would be stored in plain text`;
  throw new ValidationError([{ path: 'key', message }]);
}
