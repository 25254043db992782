import { ValidationError } from '@coord/client';

/** The value as JSON. @throws {ValidationError} when it cannot be written: JSON would leave out functions and symbols */
export function toJson(path: string, value: unknown): string {
  try {
    return JSON.stringify(value, refuseOmission) ?? 'null';
  } catch (error) {
    const message = `cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`;
    throw new ValidationError([{ path, message }], { cause: error });
  }
}

function refuseOmission(name: string, value: unknown): unknown {
  if (typeof value !== 'function' && typeof value !== 'symbol') return value;
  throw new TypeError(`"${name}" is a ${typeof value}`);
}
