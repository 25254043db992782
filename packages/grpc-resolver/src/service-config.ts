/**
 * A gRPC service config, as JSON: what callers of a service do. Only what grpc-js heeds; anything else is refused.
 * @see https://github.com/grpc/grpc/blob/master/doc/service_config.md
 */
export type ServiceConfig = {
  /** Balancing policies, the preferred one first: `[{ coord_weighted: {} }, { round_robin: {} }]`. */
  readonly loadBalancingConfig?: readonly Readonly<Record<string, unknown>>[] | undefined;
  readonly methodConfig?: readonly MethodConfig[] | undefined;
  /** Stops retries and hedging while most calls fail. */
  readonly retryThrottling?: RetryThrottling | undefined;
};

/** What goes for the methods named. For each method the entry counts that names it most exactly. */
export type MethodConfig = {
  readonly name: readonly MethodName[];
  /** Calls end with DEADLINE_EXCEEDED after this, if their own deadline is not earlier. */
  readonly timeout?: Duration | undefined;
  /** Not together with `hedgingPolicy`. */
  readonly retryPolicy?: RetryPolicy | undefined;
  readonly hedgingPolicy?: HedgingPolicy | undefined;
};

/** `{ service: 'pkg.Users', method: 'Get' }`, `{ service: 'pkg.Users' }` for all its methods, `{}` for all there are. */
export type MethodName = {
  /** With its package. */
  readonly service?: string | undefined;
  readonly method?: string | undefined;
};

/** Seconds, as `1s` or `0.25s`. */
export type Duration = `${number}s`;

/** `UNAVAILABLE`, or its number. */
export type StatusCode = string | number;

/**
 * Calls that fail with one of these codes are made again. They may have been processed.
 * @see https://github.com/grpc/proposal/blob/master/A6-client-retries.md
 */
export type RetryPolicy = {
  /** The first one included; at least 2. More than 5 count as 5. */
  readonly maxAttempts: number;
  /** Each wait is random, from 0 to this times `backoffMultiplier` to the power of the earlier waits. */
  readonly initialBackoff: Duration;
  readonly maxBackoff: Duration;
  readonly backoffMultiplier: number;
  readonly retryableStatusCodes: readonly StatusCode[];
};

/** Calls are made several times at once, the first answer counts. Only for methods that may be called twice. */
export type HedgingPolicy = {
  /** At least 2. More than 5 count as 5. */
  readonly maxAttempts: number;
  /** Between one attempt and the next. @default '0s' */
  readonly hedgingDelay?: Duration | undefined;
  /** With any other code the call fails at once, and no further attempt is made. */
  readonly nonFatalStatusCodes?: readonly StatusCode[] | undefined;
};

/** A budget of retries and hedges for a channel: when too many calls fail, it makes none any more (gRFC A6). */
export type RetryThrottling = {
  /** Up to 1,000. Each failure takes one; below half of them there are no retries. */
  readonly maxTokens: number;
  /** What each success gives back; at least 0.001. */
  readonly tokenRatio: number;
};
