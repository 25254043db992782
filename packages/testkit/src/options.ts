import { TestkitError } from './errors.js';
import type { EtcdBackend, EtcdCredentials } from './etcd-server.js';
import { parseWantedVersion } from './version.js';

/** What kind of server to start. */
export interface StartEtcdOptions {
  /**
   * A minor version (`'3.4'`, `'3.5'`) or an exact one (`'3.5.16'`).
   * @default COORD_ETCD_VERSION, else whatever etcd is found first
   */
  readonly version?: string | undefined;
  /** @default COORD_TEST_BACKEND, else `binary` if there is one, else `testcontainers` */
  readonly backend?: EtcdBackend | undefined;
  /**
   * Turns on authentication. `true` is `{ username: 'root', password: 'root' }`. Another user gets the role `root`, and the
   * user `root` gets the same password.
   * @default false
   */
  readonly auth?: boolean | Partial<EtcdCredentials> | undefined;
  /** How long a login lasts, in whole seconds: etcd's `--auth-token-ttl`. @default 300 */
  readonly authTokenTtlSeconds?: number | undefined;
  /**
   * Serves clients over TLS with certificates made for this server (127.0.0.1, ::1, localhost). With `clientCertAuth` a
   * client has to show one too.
   * @default false
   */
  readonly tls?: boolean | { readonly clientCertAuth?: boolean | undefined } | undefined;
  /** Flushes each write to the disk, as in production. Without it etcd 3.5 and later start and write faster. @default false */
  readonly durable?: boolean | undefined;
  /** How often the leader reports to the other members, in whole milliseconds: etcd's `--heartbeat-interval`. @default 100, etcd's own */
  readonly heartbeatMs?: number | undefined;
  /**
   * How long a member waits in vain for the leader before it stands for election itself, in whole milliseconds: etcd's
   * `--election-timeout`, five times `heartbeatMs` or more. It also sets the shortest lease: 1.5 times as long, rounded up to
   * whole seconds. Small values make quick tests and, on a busy machine, elections that nobody asked for.
   * @default 1_000, etcd's own
   */
  readonly electionMs?: number | undefined;
  /** The size of the database at which etcd refuses writes (NOSPACE): etcd's `--quota-backend-bytes`. `fillQuota()` needs it. @default etcd's own, 2 GiB */
  readonly quotaBytes?: number | undefined;
  /** Further flags for etcd, as `['--max-txn-ops=64']`. They come last, so they win. @default [] */
  readonly args?: readonly string[] | undefined;
  /** How long a start or restart may take, in milliseconds. Downloads are not counted. @default 20_000 (binary), 120_000 (testcontainers) */
  readonly startTimeoutMs?: number | undefined;
  /** How long etcd may take to end by itself, in milliseconds. @default 2_000 */
  readonly stopTimeoutMs?: number | undefined;
  /** Told what is being downloaded. */
  readonly onProgress?: ((line: string) => void) | undefined;
  /** Ends the start; nothing is left behind then. */
  readonly signal?: AbortSignal | undefined;
}

/** What a backend has to know. @internal */
export interface NodeSettings {
  readonly durable: boolean;
  readonly authTokenTtlSeconds: number | undefined;
  readonly heartbeatMs: number | undefined;
  readonly electionMs: number | undefined;
  readonly quotaBytes: number | undefined;
  readonly args: readonly string[];
}

/** @internal */
export interface ResolvedStartOptions extends NodeSettings {
  readonly version: string | undefined;
  /** Undefined: to be found out. */
  readonly backend: EtcdBackend | undefined;
  readonly auth: EtcdCredentials | undefined;
  readonly tls: { readonly clientCertAuth: boolean } | undefined;
  readonly startTimeoutMs: number | undefined;
  readonly stopTimeoutMs: number;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

const DEFAULT_STOP_TIMEOUT_MS = 2_000;
/** etcd's own. */
const DEFAULT_HEARTBEAT_MS = 100;
const DEFAULT_ELECTION_MS = 1_000;
const DEFAULT_CREDENTIALS: EtcdCredentials = { username: 'root', password: 'root' };

/** @internal */
export function resolveStartOptions(options: StartEtcdOptions): ResolvedStartOptions {
  const version = options.version || process.env.COORD_ETCD_VERSION || undefined;
  const backend = options.backend || process.env.COORD_TEST_BACKEND || undefined;
  if (backend !== undefined && backend !== 'binary' && backend !== 'testcontainers') {
    throw invalid(
      `backend ${JSON.stringify(backend)}`,
      "use 'binary' or 'testcontainers' (option backend, COORD_TEST_BACKEND)",
    );
  }
  const { auth, tls } = options;
  const ttl = options.authTokenTtlSeconds;
  if (ttl !== undefined && !(Number.isInteger(ttl) && ttl > 0)) {
    throw invalid(`authTokenTtlSeconds ${ttl}`, 'give whole seconds, 1 or more');
  }
  return {
    version: version === undefined ? undefined : parseWantedVersion(version),
    backend,
    auth: auth ? { ...DEFAULT_CREDENTIALS, ...(auth === true ? {} : auth) } : undefined,
    tls: tls ? { clientCertAuth: tls !== true && tls.clientCertAuth === true } : undefined,
    durable: options.durable ?? false,
    authTokenTtlSeconds: ttl,
    ...resolveElection(options),
    quotaBytes: options.quotaBytes === undefined ? undefined : whole('quotaBytes', options.quotaBytes),
    args: [...(options.args ?? [])],
    startTimeoutMs:
      options.startTimeoutMs === undefined ? undefined : positive('startTimeoutMs', options.startTimeoutMs),
    stopTimeoutMs: positive('stopTimeoutMs', options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS),
    onProgress: options.onProgress ?? (() => undefined),
    signal: options.signal,
  };
}

function resolveElection({ heartbeatMs, electionMs }: StartEtcdOptions) {
  if (heartbeatMs !== undefined) whole('heartbeatMs', heartbeatMs);
  if (electionMs !== undefined) whole('electionMs', electionMs);
  if ((electionMs ?? DEFAULT_ELECTION_MS) < 5 * (heartbeatMs ?? DEFAULT_HEARTBEAT_MS)) {
    throw invalid(
      `electionMs ${electionMs} with heartbeatMs ${heartbeatMs}`,
      'give five times heartbeatMs or more',
    );
  }
  return { heartbeatMs, electionMs };
}

function whole(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw invalid(`${name} ${value}`, 'give a whole number, 1 or more');
}

function positive(name: string, value: number): number {
  if (value > 0 && value < 2 ** 31) return value;
  throw invalid(`${name} ${value}`, 'give milliseconds, more than 0');
}

/** @internal */
export function invalid(what: string, remedy: string): TestkitError {
  return new TestkitError('COORD_TESTKIT_INVALID_ARGUMENT', `${what} is not valid`, remedy);
}
