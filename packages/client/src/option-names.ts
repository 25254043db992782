import type { ClientOptions, RetryOptions, TlsOptions } from './options.js';
import { unreadable } from './unreadable.js';
import type { IssueList } from './validation.js';

/** The names of options; `true` for a value that has no options of its own. */
export interface OptionNames {
  readonly [name: string]: true | OptionNames;
}

/** With `satisfies`, the compiler misses an option that is missing in the list. */
export type NamesOf<T> = Readonly<Record<keyof T, true | OptionNames>>;

/**
 * Reports names that do not exist, also within options that have their own. Plain JavaScript lets a misspelt option
 * pass, and its default would be in force without a word.
 */
export function checkNames(issues: IssueList, given: object, known: OptionNames, prefix = ''): void {
  try {
    compareNames(issues, given, known, prefix);
  } catch (error) {
    issues.push({ path: prefix === '' ? 'options' : prefix.slice(0, -1), message: unreadable(error) });
  }
}

/** Enough to mend a mistake; what has thousands of names was never meant as options. */
const MAX_UNKNOWN = 20;

function compareNames(issues: IssueList, given: object, known: OptionNames, prefix: string): void {
  let unknown = 0;
  for (const name of Object.keys(given)) {
    const inside = Object.hasOwn(known, name) ? known[name] : undefined;
    if (inside === undefined) {
      if (unknown++ === MAX_UNKNOWN) break;
      const message = `is no option; there are ${Object.keys(known).join(', ')}`;
      issues.push({ path: `${prefix}${name}`, message });
    } else if (inside !== true) {
      const value: unknown = Reflect.get(given, name);
      if (isObject(value)) checkNames(issues, value, inside, `${prefix}${name}.`);
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const TLS = {
  caFile: true,
  certFile: true,
  keyFile: true,
  ca: true,
  cert: true,
  key: true,
  serverName: true,
} satisfies NamesOf<TlsOptions>;

const RETRY = {
  maxAttempts: true,
  initialDelayMs: true,
  maxDelayMs: true,
  multiplier: true,
} satisfies NamesOf<RetryOptions>;

const CLIENT = {
  endpoints: true,
  username: true,
  password: true,
  tls: TLS,
  namespace: true,
  dialTimeoutMs: true,
  requestTimeoutMs: true,
  keepAliveTimeMs: true,
  keepAliveTimeoutMs: true,
  retry: RETRY,
  logger: true,
  logLevel: true,
  enableMetrics: true,
  enableTracing: true,
} satisfies NamesOf<ClientOptions>;

/** A configuration of `@coord/core` extends these options: its sections are for others to check. */
const SECTIONS_OF_CORE: ReadonlySet<string> = new Set(['serviceRegistry', 'distributedLock', 'configCenter']);

/** With `hosts` in the place of `endpoints` a client would talk to the etcd of this machine. */
export function checkOptionNames(issues: IssueList, options: ClientOptions): void {
  const own = Object.entries(options).filter(([name]) => !SECTIONS_OF_CORE.has(name));
  checkNames(issues, Object.fromEntries(own), CLIENT);
}
