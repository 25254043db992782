import { createClient, ValidationError } from '@coord/client';
import { assertValid, type IssueList, readInput, resolveClientOptions, show } from '@coord/client/internal';
import { createConfigCenter } from '@coord/config';
import { createLocks } from '@coord/lock';
import { createRegistry } from '@coord/registry';
import type { CoordConfigInput } from './config.js';
import { copyOptions } from './copy-options.js';

type Sections = Required<
  Pick<CoordConfigInput, 'retry' | 'serviceRegistry' | 'distributedLock' | 'configCenter'>
>;
export type SectionName = keyof Sections;

/**
 * Lets each part check its own options. Does no I/O.
 * @returns a copy: what the caller changes in his object later on has not been checked
 * @throws {ValidationError} with the problems of all parts, such as `distributedLock.defaultTtlMs`
 */
export function checkConfig(config: CoordConfigInput): CoordConfigInput {
  const copy = readInput('config', () => copyOptions(config));
  if (!isObject(copy)) {
    throw new ValidationError([{ path: 'config', message: `must be an object, got ${show(config)}` }]);
  }
  const { serviceRegistry, distributedLock, configCenter, ...client } = copy;
  const issues: IssueList = [];
  collect(issues, () => resolveClientOptions(client));
  checkSection(issues, 'serviceRegistry', serviceRegistry);
  checkSection(issues, 'distributedLock', distributedLock);
  checkSection(issues, 'configCenter', configCenter);
  assertValid(issues);
  return copy;
}

/** Reports the problems of one section. @param prefix of the paths; the section's name if absent */
export function checkSection<N extends SectionName>(
  issues: IssueList,
  name: N,
  options: Sections[N],
  prefix = `${name}.`,
): void {
  if (options === undefined) return;
  if (!isObject(options)) {
    issues.push({ path: name, message: `must be an object, got ${show(options)}` });
    return;
  }
  collect(issues, () => MAKE[name](options), prefix, name);
}

/** Parts do nothing until they are used, and neither does the client that they are made on here. */
const MAKE: { readonly [N in SectionName]: (options: Sections[N]) => unknown } = {
  retry: (retry) => resolveClientOptions({ retry }),
  serviceRegistry: (options) => createRegistry(createClient(), options),
  distributedLock: (options) => createLocks(createClient(), options),
  configCenter: (options) => createConfigCenter(createClient(), options),
};

function collect(issues: IssueList, make: () => unknown, prefix = '', section = ''): void {
  try {
    make();
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    for (const { path, message } of error.issues) {
      issues.push({ path: `${prefix}${withoutSection(path, section)}`, message });
    }
  }
}

function withoutSection(path: string, section: string): string {
  return section !== '' && path.startsWith(`${section}.`) ? path.slice(section.length + 1) : path;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
