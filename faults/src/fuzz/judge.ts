import * as core from '@coord/core';
import { CoordError, ValidationError } from '@coord/core';
import { CalledError } from '@coord/hostile-values';
import type { Ending } from './call.js';

/** The names of all errors that are exported, which docs/reference/errors.md lists. */
const DOCUMENTED: ReadonlySet<string> = new Set(
  Object.values<unknown>({ ...core }).flatMap((value) =>
    typeof value === 'function' && value.prototype instanceof Error ? [value.name] : [],
  ),
);

/** What is wrong with how a call has ended; undefined when nothing is. */
export function complaint(ending: Ending): string | undefined {
  if (ending.type === 'hanging') return 'hangs';
  if (ending.type === 'result') return undefined;
  const { error } = ending;
  if (error instanceof CalledError || isOwnClass(error)) return undefined; // the caller's own function
  if (!CoordError.is(error)) return `ends with ${describe(error)}`;
  if (!DOCUMENTED.has(error.name)) return `ends with an error of the unknown name ${error.name}`;
  if (error.outcome !== 'not-applied' && error.outcome !== 'unknown')
    return `ends with the outcome ${error.outcome}`;
  if (!isRefusal(ending)) return undefined;
  const { issues, outcome } = error as ValidationError;
  if (outcome !== 'not-applied') return `refuses with the outcome ${outcome}`;
  if (issues.length === 0) return 'refuses without an issue';
  for (const { path, message } of issues) {
    if (path === '' || message === '') return `refuses without saying what: ${JSON.stringify(issues)}`;
  }
  return undefined;
}

/** Whether the input was not acceptable. */
export function isRefusal(ending: Ending): boolean {
  return ending.type === 'error' && ending.error instanceof ValidationError;
}

/** The list has a class where functions are called: to call it without `new` is the caller's mistake. */
function isOwnClass(error: unknown): boolean {
  return error instanceof TypeError && error.message.startsWith('Class constructor');
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `${typeof error} that is no error`;
  const [, where = ''] = error.stack?.split('\n').filter((line) => !line.includes('node_modules')) ?? [];
  const line = error.stack?.split('\n').find((each) => each.includes('/packages/')) ?? where;
  return `${error.name}: ${error.message.slice(0, 120)} ${line.trim()}`;
}
