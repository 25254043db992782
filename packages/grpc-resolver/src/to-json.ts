import { ValidationError } from '@coord/client';

/** The value as JSON; `null` for what JSON cannot say. @throws {ValidationError} when it cannot be written at all */
export function toJson(path: string, value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    const message = `cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`;
    throw new ValidationError([{ path, message }], { cause: error });
  }
}
