import {
  assertValid,
  checkKeyPart,
  type IssueList,
  type NamesOf,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import { checkEncryption, type EncryptionConfig, Keyring } from './keyring.js';

/** How a configuration centre keeps its values. */
export interface ConfigCenterConfig {
  /**
   * Where the raw values are. Versions and history are kept beside it, under `/coord<keyPrefix>/`.
   * @default '/config'
   */
  readonly keyPrefix?: string | undefined;
  /**
   * False: write the raw value and nothing else. Versions are 0 then; history, rollback and
   * compare-and-set by version number are a ValidationError, by `revision` it works.
   * @default true
   */
  readonly enableVersioning?: boolean | undefined;
  /**
   * Whether writes are checked against the JSON Schema that is stored beside a key (`setSchema`). Others, whose
   * centre has it on, check theirs.
   * @default true
   */
  readonly enableValidation?: boolean | undefined;
  /** The keys for values that are stored encrypted (`encrypt`). Without it such values cannot be read. */
  readonly encryption?: EncryptionConfig | undefined;
  /** How many versions of a key to keep, the current one included. @default 100 */
  readonly maxVersionHistory?: number | undefined;
}

export interface ResolvedConfigCenterConfig {
  readonly keyPrefix: string;
  readonly enableVersioning: boolean;
  readonly enableValidation: boolean;
  readonly maxVersionHistory: number;
  readonly keyring: Keyring;
}

/** Everything beside the raw values lives under this root. */
export const INTERNAL_ROOT = '/coord';

const NAMES = {
  keyPrefix: true,
  enableVersioning: true,
  enableValidation: true,
  encryption: { keys: true, current: true } satisfies NamesOf<EncryptionConfig>,
  maxVersionHistory: true,
} satisfies NamesOf<ConfigCenterConfig>;

/** @throws {ValidationError} naming every bad option, also one that does not exist */
export function resolveConfigCenterConfig(given?: ConfigCenterConfig): ResolvedConfigCenterConfig {
  const issues: IssueList = [];
  const options = readOptions(issues, given, NAMES);
  const { keyPrefix = '/config' } = options;
  const resolved = {
    keyPrefix: typeof keyPrefix === 'string' ? keyPrefix.replace(/\/$/, '') : keyPrefix,
    enableVersioning: options.enableVersioning ?? true,
    enableValidation: options.enableValidation ?? true,
    maxVersionHistory: options.maxVersionHistory ?? 100,
  };
  checkPrefix(issues, resolved.keyPrefix);
  for (const path of ['enableVersioning', 'enableValidation'] as const) {
    const flag: unknown = resolved[path];
    if (typeof flag !== 'boolean') issues.push({ path, message: `must be true or false, got ${show(flag)}` });
  }
  const depth = resolved.maxVersionHistory;
  if (!Number.isInteger(depth) || depth < 1 || depth > 10_000) {
    issues.push({
      path: 'maxVersionHistory',
      message: `must be an integer from 1 to 10000, got ${show(depth)}`,
    });
  }
  readInput('encryption', () => checkEncryption(issues, options.encryption));
  assertValid(issues);
  return Object.freeze({ ...resolved, keyring: new Keyring(options.encryption) });
}

function checkPrefix(issues: IssueList, prefix: unknown): void {
  const path = 'keyPrefix';
  if (typeof prefix !== 'string' || !prefix.startsWith('/')) {
    issues.push({ path, message: `must start with "/", got ${show(prefix)}` });
    return;
  }
  for (const part of prefix.slice(1).split('/')) checkKeyPart(issues, path, part);
  // Readers that match by text, such as Go's WatchPrefix, must not meet our records among the values.
  if (`${INTERNAL_ROOT}${prefix}/`.startsWith(prefix) || prefix.startsWith(`${INTERNAL_ROOT}/`)) {
    issues.push({
      path,
      message: `must be apart from "${INTERNAL_ROOT}/", which is Coord's own, got ${show(prefix)}`,
    });
  }
}

export function checkVersioned(
  issues: IssueList,
  { options }: { readonly options: ResolvedConfigCenterConfig },
): void {
  if (options.enableVersioning) return;
  issues.push({ path: 'enableVersioning', message: 'is off, so there are no versions' });
}
