import { type IssueList, show } from '@coord/client/internal';
import type { GrpcModule } from './grpc-adapter.js';
import { ABOVE_ZERO, checkDuration, checkFields, checkNumber, isObject } from './json-checks.js';

/** Checks the entries of a `methodConfig`, and that none names what another one names. */
export function checkMethods(issues: IssueList, grpc: GrpcModule, path: string, methods: unknown): void {
  if (methods === undefined) return;
  if (!Array.isArray(methods)) {
    issues.push({ path, message: `must be an array, got ${show(methods)}` });
    return;
  }
  const named = new Set<string>();
  for (const [index, method] of methods.entries())
    checkMethod(issues, grpc, `${path}[${index}]`, method, named);
}

function checkMethod(
  issues: IssueList,
  grpc: GrpcModule,
  path: string,
  method: unknown,
  named: Set<string>,
): void {
  if (!isObject(method)) {
    issues.push({ path, message: `must be an object, got ${show(method)}` });
    return;
  }
  checkFields(issues, path, method, ['name', 'timeout', 'retryPolicy', 'hedgingPolicy'], {
    waitForReady: 'is ignored by grpc-js; give it in the metadata of calls: { waitForReady: true }',
    maxRequestMessageBytes: "is ignored by grpc-js; there is the channel's grpc.max_send_message_length",
    maxResponseMessageBytes: "is ignored by grpc-js; there is the channel's grpc.max_receive_message_length",
  });
  checkNames(issues, `${path}.name`, method.name, named);
  checkDuration(issues, `${path}.timeout`, method.timeout, ABOVE_ZERO);
  if (method.retryPolicy !== undefined && method.hedgingPolicy !== undefined) {
    issues.push({ path, message: 'give either a retryPolicy or a hedgingPolicy' });
  }
  checkRetry(issues, grpc, `${path}.retryPolicy`, method.retryPolicy);
  checkHedging(issues, grpc, `${path}.hedgingPolicy`, method.hedgingPolicy);
}

function checkNames(issues: IssueList, path: string, names: unknown, named: Set<string>): void {
  if (!Array.isArray(names) || names.length === 0) {
    const message = `must be an array of { service, method }, such as [{}] for all methods, got ${show(names)}`;
    issues.push({ path, message });
    return;
  }
  for (const [index, name] of names.entries()) {
    const at = `${path}[${index}]`;
    if (!isObject(name)) {
      issues.push({ path: at, message: `must be an object, got ${show(name)}` });
      continue;
    }
    checkFields(issues, at, name, ['service', 'method']);
    const { service, method } = name;
    for (const [part, value] of Object.entries({ service, method })) {
      if (value === undefined || (typeof value === 'string' && value !== '' && !value.includes('/')))
        continue;
      const message = `must be a name without "/", or absent for all, got ${show(value)}`;
      issues.push({ path: `${at}.${part}`, message });
    }
    if (method !== undefined && service === undefined) {
      issues.push({ path: at, message: 'has a method without its service' });
    }
    const whole = `${service ?? ''}/${method ?? ''}`;
    if (named.has(whole)) issues.push({ path: at, message: 'is named twice' });
    named.add(whole);
  }
}

function checkRetry(issues: IssueList, grpc: GrpcModule, path: string, policy: unknown): void {
  if (policy === undefined) return;
  if (!isObject(policy)) {
    issues.push({ path, message: `must be an object, got ${show(policy)}` });
    return;
  }
  const known = ['maxAttempts', 'initialBackoff', 'maxBackoff', 'backoffMultiplier', 'retryableStatusCodes'];
  checkFields(issues, path, policy, known);
  checkAttempts(issues, `${path}.maxAttempts`, policy.maxAttempts);
  for (const field of ['initialBackoff', 'maxBackoff']) {
    if (policy[field] === undefined) issues.push({ path: `${path}.${field}`, message: 'is missing' });
    checkDuration(issues, `${path}.${field}`, policy[field], ABOVE_ZERO);
  }
  checkNumber(issues, `${path}.backoffMultiplier`, policy.backoffMultiplier, 0.001, 1_000);
  checkCodes(issues, grpc, `${path}.retryableStatusCodes`, policy.retryableStatusCodes, 1);
}

function checkHedging(issues: IssueList, grpc: GrpcModule, path: string, policy: unknown): void {
  if (policy === undefined) return;
  if (!isObject(policy)) {
    issues.push({ path, message: `must be an object, got ${show(policy)}` });
    return;
  }
  checkFields(issues, path, policy, ['maxAttempts', 'hedgingDelay', 'nonFatalStatusCodes']);
  checkAttempts(issues, `${path}.maxAttempts`, policy.maxAttempts);
  checkDuration(issues, `${path}.hedgingDelay`, policy.hedgingDelay, 0);
  checkCodes(issues, grpc, `${path}.nonFatalStatusCodes`, policy.nonFatalStatusCodes ?? [], 0);
}

function checkAttempts(issues: IssueList, path: string, attempts: unknown): void {
  if (Number.isSafeInteger(attempts) && Number(attempts) >= 2) return;
  issues.push({ path, message: `must be an integer of at least 2, got ${show(attempts)}` });
}

function checkCodes(issues: IssueList, grpc: GrpcModule, path: string, codes: unknown, least: number): void {
  if (!Array.isArray(codes) || codes.length < least) {
    issues.push({ path, message: `must be an array of status codes, got ${show(codes)}` });
    return;
  }
  for (const [index, code] of codes.entries()) {
    const number = typeof code === 'string' ? Reflect.get(grpc.status, code.toUpperCase()) : code;
    const isCode = typeof number === 'number' && number > 0 && Reflect.get(grpc.status, number) !== undefined;
    if (!isCode) issues.push({ path: `${path}[${index}]`, message: `is no failure's code: ${show(code)}` });
  }
}
