import { types } from 'node:util';

/** What to say of input that throws while it is read. */
export function unreadable(error: unknown): string {
  return `cannot be read${types.isNativeError(error) ? `: ${error.message}` : ''}`;
}
