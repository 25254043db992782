import type { ClientOptions, RetryOptions, TlsOptions } from './options.js';
import type { IssueList } from './validation.js';

type NamesOf<T> = Readonly<Record<keyof T, true>>;

const CLIENT = {
  endpoints: true,
  username: true,
  password: true,
  tls: true,
  namespace: true,
  dialTimeoutMs: true,
  requestTimeoutMs: true,
  keepAliveTimeMs: true,
  keepAliveTimeoutMs: true,
  retry: true,
  logger: true,
  logLevel: true,
  enableMetrics: true,
  enableTracing: true,
} satisfies NamesOf<ClientOptions>;

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

/** A configuration of `@coord/core` extends these options: its sections are for others to check. */
const SECTIONS_OF_CORE: ReadonlySet<string> = new Set(['serviceRegistry', 'distributedLock', 'configCenter']);

/**
 * Plain JavaScript lets a misspelt option pass, and its default would be in force without a word: with `hosts` in the
 * place of `endpoints` a client would talk to the etcd of this machine.
 */
export function checkOptionNames(issues: IssueList, options: ClientOptions): void {
  const own = Object.keys(options).filter((name) => !SECTIONS_OF_CORE.has(name));
  check(issues, '', own, CLIENT);
  check(issues, 'tls.', namesIn(options.tls), TLS);
  check(issues, 'retry.', namesIn(options.retry), RETRY);
}

function check(issues: IssueList, prefix: string, names: readonly string[], known: object): void {
  for (const name of names) {
    if (Object.hasOwn(known, name)) continue;
    const message = `is no option; there are ${Object.keys(known).join(', ')}`;
    issues.push({ path: `${prefix}${name}`, message });
  }
}

function namesIn(value: unknown): string[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}
