import type { Logger, LogLevel } from './logger.js';

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
  /** HTTP/2 pings: the interval, at least 10,000 (etcd refuses more frequent ones). @default 10_000 */
  readonly keepAliveTimeMs?: number | undefined;
  /** HTTP/2 pings: how long to wait for the answer. @default 3_000 */
  readonly keepAliveTimeoutMs?: number | undefined;
  readonly retry?: RetryOptions | undefined;
  readonly logger?: Logger | undefined;
  /** @default 'info' */
  readonly logLevel?: LogLevel | undefined;
}

/** Client options with every default filled in. */
export interface ResolvedClientOptions {
  readonly endpoints: readonly string[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly namespace: string;
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly retry: Readonly<Record<keyof RetryOptions, number>>;
  readonly logger: Logger | undefined;
  readonly logLevel: LogLevel;
}
