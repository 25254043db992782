import { invalid, type ResolvedStartOptions, resolveStartOptions, type StartEtcdOptions } from './options.js';
import { parseWantedVersion } from './version.js';

export interface StartClusterOptions extends Omit<StartEtcdOptions, 'version'> {
  /** How many members, 1 to 7. @default 3 */
  readonly size?: number | undefined;
  /**
   * The version of all members, or a list with the version of each, as `['3.4', '3.5', '3.5']`.
   * @default COORD_ETCD_VERSION, else whatever etcd is found first
   */
  readonly version?: string | readonly string[] | undefined;
}

/** @internal */
export interface ResolvedClusterOptions extends ResolvedStartOptions {
  readonly size: number;
  /** One for each member. */
  readonly versions: readonly (string | undefined)[];
}

const DEFAULT_SIZE = 3;
/** etcd's own advice is five at most. */
const MAX_SIZE = 7;

/** @internal */
export function resolveClusterOptions(options: StartClusterOptions): ResolvedClusterOptions {
  const { size = DEFAULT_SIZE, version, ...common } = options;
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE) {
    throw invalid(`size ${size}`, `give a whole number from 1 to ${MAX_SIZE}`);
  }
  if (version === undefined || typeof version === 'string') {
    const settings = resolveStartOptions({ ...common, version });
    return { ...settings, size, versions: Array.from({ length: size }, () => settings.version) };
  }
  if (version.length !== size) {
    throw invalid(`a list of ${version.length} versions`, `give one for each of the ${size} members`);
  }
  return { ...resolveStartOptions(common), size, versions: version.map(parseWantedVersion) };
}
