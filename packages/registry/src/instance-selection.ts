import {
  checkNames,
  type IssueList,
  isArray,
  type NamesOf,
  type OptionNames,
  show,
} from '@coord/client/internal';
import { checkSubset, SUBSET_NAMES, type SubsetOptions, subsetOf } from './instance-subset.js';
import { HEALTH_STATUSES, type HealthStatus, type ServiceInfo } from './service-info.js';

/** Which instances to return: those that fit everything that is given. */
export interface InstanceSelection {
  /** Only instances with this health. @default 'healthy' */
  readonly health?: HealthStatus | 'any' | undefined;
  /** Only instances in this zone. */
  readonly zone?: string | undefined;
  /** Only instances of exactly this version. */
  readonly version?: string | undefined;
  /** Only instances that have all of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** Only instances whose metadata has all of these names with these values. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Only instances for which this is true. */
  readonly filter?: ((service: ServiceInfo) => boolean) | undefined;
  /** Of those that fit, only so many, always the same as far as possible. @default all of them */
  readonly subset?: SubsetOptions | undefined;
}

export const USUAL: InstanceSelection = Object.freeze({});

export const SELECTION_NAMES = {
  health: true,
  zone: true,
  version: true,
  tags: true,
  metadata: true,
  filter: true,
  subset: SUBSET_NAMES,
} satisfies NamesOf<InstanceSelection>;

/**
 * Notes everything that is wrong with a selection. A misspelt name would let everything through without a word.
 * @param names all that there may be beside it
 * @returns a copy: what the caller changes in his object later on has not been checked
 */
export function readSelection(
  issues: IssueList,
  given: unknown,
  names: OptionNames = SELECTION_NAMES,
): InstanceSelection {
  if (given === undefined) return USUAL;
  if (!isPlainObject(given)) {
    issues.push({ path: 'options', message: `must be an object, got ${show(given)}` });
    return USUAL;
  }
  try {
    const selection = copyOf(given);
    checkNames(issues, given, names);
    checkSelection(issues, selection);
    return selection;
  } catch {
    issues.push({ path: 'options', message: 'cannot be read' });
    return USUAL;
  }
}

function copyOf({
  health,
  zone,
  version,
  tags,
  metadata,
  filter,
  subset,
}: InstanceSelection): InstanceSelection {
  return {
    health,
    zone,
    version,
    tags: Array.isArray(tags) ? [...tags] : tags,
    metadata: isPlainObject(metadata) ? { ...metadata } : metadata,
    filter,
    subset: isPlainObject(subset) ? { ...subset } : subset,
  };
}

function checkSelection(issues: IssueList, selection: InstanceSelection): void {
  const { health, filter, tags, metadata, subset } = selection;
  if (health !== undefined && health !== 'any' && !HEALTH_STATUSES.includes(health)) {
    issues.push({
      path: 'health',
      message: `must be any, or one of ${HEALTH_STATUSES.join(', ')}, got ${show(health)}`,
    });
  }
  if (filter !== undefined && typeof filter !== 'function') {
    issues.push({ path: 'filter', message: `must be a function, got ${show(filter)}` });
  }
  for (const name of ['zone', 'version'] as const) checkText(issues, name, selection[name]);
  if (tags !== undefined && !Array.isArray(tags)) {
    issues.push({ path: 'tags', message: `must be an array, got ${show(tags)}` });
  } else {
    for (const [index, tag] of tags?.entries() ?? []) checkText(issues, `tags[${index}]`, tag ?? null);
  }
  if (metadata !== undefined && !isPlainObject(metadata)) {
    issues.push({ path: 'metadata', message: `must be an object, got ${show(metadata)}` });
  } else if (metadata !== undefined) {
    for (const [name, value] of Object.entries(metadata)) {
      if (typeof value === 'string') continue;
      issues.push({ path: `metadata.${name}`, message: `must be a string, got ${show(value)}` });
    }
  }
  checkSubset(issues, subset);
}

/** The healthy ones and nothing else asked for: the list that is kept ready. */
export function isUsual(selection: InstanceSelection): boolean {
  const { health = 'healthy', zone, version, tags, metadata, filter, subset } = selection;
  const more = [zone, version, tags, metadata, filter, subset];
  return health === 'healthy' && more.every((part) => part === undefined);
}

/** The instances that fit, in the order given. A filter that throws throws here. */
export function select(instances: readonly ServiceInfo[], selection: InstanceSelection): ServiceInfo[] {
  const { health = 'healthy', zone, version, tags = [], metadata = {}, filter, subset } = selection;
  const pairs = Object.entries(metadata);
  const fitting = instances.filter(
    (service) =>
      (health === 'any' || service.health === health) &&
      (zone === undefined || service.zone === zone) &&
      (version === undefined || service.version === version) &&
      tags.every((tag) => service.tags?.includes(tag)) &&
      pairs.every(
        ([name, value]) => Object.hasOwn(service.metadata, name) && service.metadata[name] === value,
      ) &&
      (filter === undefined || filter(service)),
  );
  return subset === undefined ? fitting : subsetOf(fitting, subset);
}

function checkText(issues: IssueList, path: string, value: unknown): void {
  if (value === undefined || (typeof value === 'string' && value !== '')) return;
  issues.push({ path, message: `must be a text that is not empty, got ${show(value)}` });
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isArray(value);
}
