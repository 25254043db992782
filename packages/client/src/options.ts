import { types } from 'node:util';
import type { Logger, LogLevel } from './logger.js';
import { checkOptionNames } from './option-names.js';
import { assertValid, checkFlag, checkPositiveMs, type IssueList, readInput, show } from './validation.js';

/** TLS, from files or from memory. Files are read when the connection is made. */
export interface TlsOptions {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly ca?: string | Uint8Array | undefined;
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** The name that the server's certificate is checked against, where it is not the endpoint's host. */
  readonly serverName?: string | undefined;
}

/** How often and how fast a read, or a write that is safe to repeat, is tried again. */
export interface RetryOptions {
  /** Attempts in all, the first included. @default 5 */
  readonly maxAttempts?: number | undefined;
  /** @default 200 */
  readonly initialDelayMs?: number | undefined;
  /** @default 5_000 */
  readonly maxDelayMs?: number | undefined;
  /** @default 2 */
  readonly multiplier?: number | undefined;
}

/** How a client reaches etcd. Everything is optional. */
export interface ClientOptions {
  /** `host:port`, `http://host:port` or `https://host:port`. @default ['127.0.0.1:2379'] */
  readonly endpoints?: readonly string[] | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  /** A prefix for every key of this client. @default '' */
  readonly namespace?: string | undefined;
  /** How long `connect` may take. @default 5_000 */
  readonly dialTimeoutMs?: number | undefined;
  /** How long a call may take, retries included. @default 5_000 */
  readonly requestTimeoutMs?: number | undefined;
  /** The interval of HTTP/2 pings, at least 10,000: etcd cuts off clients that ping more often. @default 10_000 */
  readonly keepAliveTimeMs?: number | undefined;
  /** How long to wait for the answer to an HTTP/2 ping. @default 3_000 */
  readonly keepAliveTimeoutMs?: number | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Where to log; nothing is logged without one. `console`, pino and winston fit. */
  readonly logger?: Logger | undefined;
  /** @default 'info' */
  readonly logLevel?: LogLevel | undefined;
  /** Measure through `@opentelemetry/api`; the application brings the SDK. @default false */
  readonly enableMetrics?: boolean | undefined;
  /** Make spans through `@opentelemetry/api`; the application brings the SDK. @default false */
  readonly enableTracing?: boolean | undefined;
}

/** Client options, checked, with every default filled in. */
export interface ResolvedClientOptions {
  readonly endpoints: readonly string[];
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  readonly tls: TlsOptions | undefined;
  readonly namespace: string;
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly retry: Readonly<Record<keyof RetryOptions, number>>;
  readonly logger: Logger | undefined;
  readonly logLevel: LogLevel;
  readonly enableMetrics: boolean;
  readonly enableTracing: boolean;
}

/** Whether etcd can tell who this client is: by password or by certificate. */
export function hasIdentity({ credentials, tls }: ResolvedClientOptions): boolean {
  return credentials !== undefined || tls?.cert !== undefined || tls?.certFile !== undefined;
}

const DEFAULT_RETRY = { maxAttempts: 5, initialDelayMs: 200, maxDelayMs: 5_000, multiplier: 2 } as const;
const LOG_LEVELS: readonly LogLevel[] = ['silent', 'error', 'warn', 'info', 'debug'];
const MIN_KEEPALIVE_TIME_MS = 10_000;

/**
 * Checks the options and fills in the defaults; the caller's object stays as it is.
 * @throws {ValidationError} with every problem found
 */
export function resolveClientOptions(options: ClientOptions = {}): ResolvedClientOptions {
  return readInput('options', () => checkClientOptions(options));
}

function checkClientOptions(options: ClientOptions): ResolvedClientOptions {
  const issues: IssueList = [];
  if (!isObject(options)) {
    issues.push({ path: 'options', message: `must be an object, got ${show(options)}` });
    assertValid(issues);
  }
  checkOptionNames(issues, options);
  const {
    endpoints = ['127.0.0.1:2379'],
    namespace = '',
    dialTimeoutMs = 5_000,
    requestTimeoutMs = 5_000,
    keepAliveTimeMs = 10_000,
    keepAliveTimeoutMs = 3_000,
    logLevel = 'info',
    enableMetrics = false,
    enableTracing = false,
  } = options;
  const resolved: ResolvedClientOptions = {
    endpoints: checkEndpoints(issues, endpoints, options.tls),
    credentials: checkCredentials(issues, options),
    tls: checkTls(issues, options.tls),
    namespace,
    dialTimeoutMs,
    requestTimeoutMs,
    keepAliveTimeMs,
    keepAliveTimeoutMs,
    retry: checkRetry(issues, options.retry),
    logger: checkLogger(issues, options.logger),
    logLevel,
    enableMetrics,
    enableTracing,
  };
  for (const name of [
    'dialTimeoutMs',
    'requestTimeoutMs',
    'keepAliveTimeMs',
    'keepAliveTimeoutMs',
  ] as const) {
    checkPositiveMs(issues, name, resolved[name]);
  }
  if (resolved.keepAliveTimeMs < MIN_KEEPALIVE_TIME_MS) {
    issues.push({ path: 'keepAliveTimeMs', message: `must be at least ${MIN_KEEPALIVE_TIME_MS}` });
  }
  if (typeof resolved.namespace !== 'string' || !resolved.namespace.isWellFormed()) {
    issues.push({ path: 'namespace', message: 'must be well-formed text' });
  }
  if (!LOG_LEVELS.includes(resolved.logLevel)) {
    issues.push({
      path: 'logLevel',
      message: `must be one of ${LOG_LEVELS.join(', ')}, got ${show(options.logLevel)}`,
    });
  }
  for (const name of ['enableMetrics', 'enableTracing'] as const) checkFlag(issues, name, resolved[name]);
  assertValid(issues);
  return Object.freeze(resolved);
}

const ENDPOINT =
  /^(?:(https?):\/\/)?(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})\/?$/;

function checkEndpoints(
  issues: IssueList,
  endpoints: unknown,
  tls: TlsOptions | undefined,
): readonly string[] {
  if (!Array.isArray(endpoints) || endpoints.length === 0) {
    const message = `must be a non-empty array of "host:port", got ${show(endpoints)}`;
    issues.push({ path: 'endpoints', message });
    return [];
  }
  const schemes = new Set<string>();
  const normalized = Array.from(endpoints, (endpoint: unknown, index) => {
    const path = `endpoints[${index}]`;
    const match = typeof endpoint === 'string' ? ENDPOINT.exec(endpoint) : null;
    const port = Number(match?.[3]);
    if (match === null || port < 1 || port > 65_535) {
      const wanted =
        'must be "host:port", "http://host:port" or "https://host:port", and an IPv6 address in brackets';
      issues.push({ path, message: `${wanted}, got ${show(withoutLogin(endpoint))}` });
      return '';
    }
    const scheme = match[1] ?? (tls === undefined ? 'http' : 'https');
    if (scheme === 'http' && tls !== undefined) {
      issues.push({ path, message: 'is plain http, but tls is given; write https:// or leave tls out' });
    }
    schemes.add(scheme);
    return `${scheme}://${match[2]}:${port}`;
  });
  if (schemes.size > 1) issues.push({ path: 'endpoints', message: 'must not mix http and https' });
  return [...new Set(normalized)];
}

/** Of an address such as `http://user:password@host`: it will be in a log. */
function withoutLogin(endpoint: unknown): unknown {
  return typeof endpoint === 'string' ? endpoint.replace(/^(\w+:\/\/)?.*@/s, '$1…@') : endpoint;
}

function checkCredentials(issues: IssueList, options: ClientOptions): ResolvedClientOptions['credentials'] {
  const { username, password } = options;
  if (username === undefined && password === undefined) return undefined;
  for (const [path, value] of Object.entries({ username, password })) {
    if (!isText(value)) {
      issues.push({ path, message: 'username and password must both be given, as non-empty text' });
    }
  }
  return { username: username ?? '', password: password ?? '' };
}

function checkTls(issues: IssueList, tls: TlsOptions | undefined): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (!isObject(tls)) {
    issues.push({ path: 'tls', message: 'must be an object such as { caFile }' }); // never shown: it may be a key
    return undefined;
  }
  const checked = { ...tls };
  for (const name of ['caFile', 'certFile', 'keyFile', 'serverName'] as const) {
    const value = checked[name];
    if (value === undefined) continue;
    if (!isText(value)) {
      issues.push({ path: `tls.${name}`, message: `must be non-empty text, got ${show(value)}` });
    } else if (value.includes('-----BEGIN ')) {
      const place = name === 'serverName' ? 'ca, cert or key' : name.replace('File', '');
      issues.push({ path: `tls.${name}`, message: `is PEM; what holds it itself is tls.${place}` });
    }
  }
  for (const name of ['ca', 'cert', 'key'] as const) {
    const value = checked[name];
    if (value === undefined || isText(value) || types.isUint8Array(value)) continue;
    issues.push({ path: `tls.${name}`, message: 'must be PEM as text or bytes' }); // never shown: it may be a key
  }
  const hasCert = (checked.cert ?? checked.certFile) !== undefined;
  if (hasCert !== ((checked.key ?? checked.keyFile) !== undefined)) {
    const path = hasCert ? 'tls.keyFile' : 'tls.certFile';
    issues.push({ path, message: 'must be given: a client certificate needs both cert and key' });
  }
  return checked;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.isWellFormed();
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkLogger(issues: IssueList, logger: Partial<Logger> | undefined): Logger | undefined {
  if (logger === undefined || isLogger(logger)) return logger;
  issues.push({ path: 'logger', message: 'must have the methods error, warn, info and debug' });
  return undefined;
}

function isLogger(logger: Partial<Logger> | null): logger is Logger {
  return (['error', 'warn', 'info', 'debug'] as const).every((name) => typeof logger?.[name] === 'function');
}

function checkRetry(issues: IssueList, retry: RetryOptions = {}): ResolvedClientOptions['retry'] {
  if (!isObject(retry)) {
    issues.push({ path: 'retry', message: `must be an object, got ${show(retry)}` });
    return DEFAULT_RETRY;
  }
  const {
    maxAttempts = DEFAULT_RETRY.maxAttempts,
    initialDelayMs = DEFAULT_RETRY.initialDelayMs,
    maxDelayMs = DEFAULT_RETRY.maxDelayMs,
    multiplier = DEFAULT_RETRY.multiplier,
  } = retry;
  const resolved = { maxAttempts, initialDelayMs, maxDelayMs, multiplier };
  if (!Number.isInteger(resolved.maxAttempts) || resolved.maxAttempts < 1) {
    issues.push({
      path: 'retry.maxAttempts',
      message: `must be a whole number from 1, got ${show(retry.maxAttempts)}`,
    });
  }
  checkPositiveMs(issues, 'retry.initialDelayMs', resolved.initialDelayMs);
  checkPositiveMs(issues, 'retry.maxDelayMs', resolved.maxDelayMs);
  if (!Number.isFinite(resolved.multiplier) || resolved.multiplier < 1) {
    issues.push({
      path: 'retry.multiplier',
      message: `must be a number from 1, got ${show(retry.multiplier)}`,
    });
  }
  return resolved;
}
