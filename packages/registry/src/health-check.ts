import { checkNames, checkPositiveMs, type IssueList, type NamesOf, show } from '@coord/client/internal';
import { type HostPort, parseHostPort } from './address.js';
import { probeGrpc } from './grpc-probe.js';
import type { ServiceInfo } from './service-info.js';
import { probeTcp } from './tcp-probe.js';

/**
 * Says how an instance is: well, unless it returns or resolves to `false`, throws or rejects. A run that takes longer than the
 * check's `timeoutMs` has failed; `signal` tells it so, and also when the instance is deregistered.
 */
export type HealthCheckFunction = (
  service: ServiceInfo,
  options: { readonly signal: AbortSignal },
) => unknown;

/** When a check makes a difference. The defaults of `unhealthyAfter` and `healthyAfter` are HAProxy's fall and rise. */
export interface HealthCheckLimits {
  /** In milliseconds, for one run. @default 1_000 */
  readonly timeoutMs?: number | undefined;
  /** How many runs in a row must fail until the instance is `unhealthy`. @default 3 */
  readonly unhealthyAfter?: number | undefined;
  /** How many runs in a row must succeed until it is `healthy` again. @default 2 */
  readonly healthyAfter?: number | undefined;
}

/** Whom a check asks. */
export interface ProbeTarget {
  /** `host:port`. @default the instance's own */
  readonly address?: string | undefined;
}

export interface TcpHealthCheck extends HealthCheckLimits {
  /** Healthy when it accepts a connection. */
  readonly tcp: true | ProbeTarget;
}

export interface GrpcHealthCheck extends HealthCheckLimits {
  /**
   * Healthy when `grpc.health.v1.Health/Check` answers SERVING, over a plain-text connection; for TLS give a function.
   * `service` = what to ask for; default '': the server as a whole.
   */
  readonly grpc: true | (ProbeTarget & { readonly service?: string | undefined });
}

export interface FunctionHealthCheck extends HealthCheckLimits {
  readonly run: HealthCheckFunction;
}

/** How an instance is checked by the process that registers it. */
export type HealthCheck = HealthCheckFunction | TcpHealthCheck | GrpcHealthCheck | FunctionHealthCheck;

/** A check whose input is known to be good. */
export interface ResolvedHealthCheck {
  readonly timeoutMs: number;
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
  readonly run: HealthCheckFunction;
}

const NAMES = {
  tcp: { address: true },
  grpc: { address: true, service: true },
  run: true,
  timeoutMs: true,
  unhealthyAfter: true,
  healthyAfter: true,
} satisfies NamesOf<TcpHealthCheck & GrpcHealthCheck & FunctionHealthCheck>;

export function resolveHealthCheck(issues: IssueList, check: unknown): ResolvedHealthCheck | undefined {
  if (check === undefined) return undefined;
  const given: unknown = typeof check === 'function' ? { run: check } : check;
  if (typeof given !== 'object' || given === null) {
    issues.push({ path: 'check', message: `must be a function or an object, got ${show(given)}` });
    return undefined;
  }
  checkNames(issues, given, NAMES, 'check.');
  const { tcp, grpc, run }: Partial<Record<'tcp' | 'grpc' | 'run', unknown>> = given;
  const { timeoutMs = 1_000, unhealthyAfter = 3, healthyAfter = 2 }: HealthCheckLimits = given;
  checkPositiveMs(issues, 'check.timeoutMs', timeoutMs);
  checkCount(issues, 'check.unhealthyAfter', unhealthyAfter);
  checkCount(issues, 'check.healthyAfter', healthyAfter);
  const limits = { timeoutMs, unhealthyAfter, healthyAfter };
  if ([tcp, grpc, run].filter((kind) => kind !== undefined).length !== 1) {
    issues.push({ path: 'check', message: 'must have one of tcp, grpc and run' });
    return undefined;
  }
  if (tcp !== undefined) {
    const { target } = checkTarget(issues, 'check.tcp', tcp);
    return { ...limits, run: (service, { signal }) => probeTcp(target ?? ownTarget(service), signal) };
  }
  if (grpc !== undefined) {
    const { target, fields } = checkTarget(issues, 'check.grpc', grpc);
    const { service: asked = '' } = fields;
    if (typeof asked !== 'string') {
      issues.push({ path: 'check.grpc.service', message: `must be a string, got ${show(asked)}` });
      return undefined;
    }
    return {
      ...limits,
      run: (service, { signal }) => probeGrpc(target ?? ownTarget(service), asked, signal),
    };
  }
  if (isCheckFunction(run)) return { ...limits, run };
  issues.push({ path: 'check.run', message: `must be a function, got ${show(run)}` });
  return undefined;
}

function isCheckFunction(run: unknown): run is HealthCheckFunction {
  return typeof run === 'function';
}

function ownTarget({ address, port }: ServiceInfo): HostPort {
  return { host: address, port };
}

interface CheckedTarget {
  /** Undefined = the instance's own. */
  readonly target: HostPort | undefined;
  readonly fields: Readonly<Record<'service', unknown>> | Readonly<Record<string, never>>;
}

function checkTarget(issues: IssueList, path: string, value: unknown): CheckedTarget {
  if (value === true) return { target: undefined, fields: {} };
  if (typeof value !== 'object' || value === null) {
    issues.push({ path, message: `must be true or an object, got ${show(value)}` });
    return { target: undefined, fields: {} };
  }
  const { address, ...fields }: { address?: unknown; service?: unknown } = value;
  const target = typeof address === 'string' ? parseHostPort(address) : undefined;
  if (address !== undefined && target === undefined) {
    issues.push({ path: `${path}.address`, message: `must be "host:port", got ${show(address)}` });
  }
  return { target, fields: 'service' in fields ? { service: fields.service } : {} };
}

function checkCount(issues: IssueList, path: string, value: unknown): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return;
  issues.push({ path, message: `must be an integer of at least 1, got ${show(value)}` });
}
