import { ValidationError, type ValidationIssue } from '@coord/client';
import { type IssueList, readInput, show } from '@coord/client/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';

/** Any Standard Schema: zod, valibot, arktype. @see https://standardschema.dev */
export type ConfigSchema<Output = unknown> = StandardSchemaV1<unknown, Output>;

export function checkSchema(issues: IssueList, schema: unknown, path = 'schema'): void {
  if (schema === undefined || readInput(path, () => isSchema(schema))) return;
  issues.push({ path, message: `must be a Standard Schema (zod, valibot, arktype), got ${show(schema)}` });
}

/** arktype's schemas are functions. */
function isSchema(schema: unknown): schema is StandardSchemaV1 {
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) return false;
  if (!('~standard' in schema)) return false;
  const standard = schema['~standard'];
  return typeof standard === 'object' && standard !== null && 'validate' in standard;
}

/**
 * What the schema makes of a value: coerced, with its defaults filled in.
 * @throws {ValidationError} with the path of every problem
 */
export async function applySchema<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
  path = 'value',
): Promise<Output> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  throw schemaError(result.issues, path);
}

export function schemaError(issues: readonly StandardSchemaV1.Issue[], path: string): ValidationError {
  return new ValidationError(issues.map((issue) => toIssue(issue, path)));
}

function toIssue(issue: StandardSchemaV1.Issue, path: string): ValidationIssue {
  const keys = (issue.path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : segment));
  const where = keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return { path: path + where, message: issue.message };
}
