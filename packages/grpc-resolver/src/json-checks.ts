/** Checks of parts of a JSON document; each adds what it finds to the issues. */
import { type IssueList, show } from '@coord/client/internal';

/** @param remedies what to do instead, for some of the fields that do not belong there */
export function checkFields(
  issues: IssueList,
  path: string,
  object: Readonly<Record<string, unknown>>,
  known: readonly string[],
  remedies: Readonly<Record<string, string>> = {},
): void {
  for (const [field, value] of Object.entries(object)) {
    if (known.includes(field) || value === undefined) continue;
    const remedy = Object.hasOwn(remedies, field) ? remedies[field] : undefined;
    const message = remedy ?? `is no field here; there are ${known.join(', ')}`;
    issues.push({ path: `${path}.${field}`, message });
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function checkNumber(
  issues: IssueList,
  path: string,
  value: unknown,
  least: number,
  most: number,
): void {
  if (typeof value === 'number' && value >= least && value <= most) return;
  issues.push({ path, message: `must be a number from ${least} to ${most}, got ${show(value)}` });
}

const DURATION = /^\d+(?:\.\d{1,9})?s$/;
export const ABOVE_ZERO = 1e-9;
/** Of a timer: beyond it, it fires at once. */
export const MAX_SECONDS = 2_147_483;

/** Of a service config: seconds as text. Absent is fine. */
export function checkDuration(issues: IssueList, path: string, value: unknown, least: number): void {
  if (value === undefined) return;
  const seconds = typeof value === 'string' && DURATION.test(value) ? Number(value.slice(0, -1)) : Number.NaN;
  if (seconds >= least && seconds <= MAX_SECONDS) return;
  const range = `${least === 0 ? 'from' : 'above'} 0 up to ${MAX_SECONDS} seconds`;
  issues.push({ path, message: `must be ${range}, written as "1.5s", got ${show(value)}` });
}
