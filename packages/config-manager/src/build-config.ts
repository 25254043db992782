import { ValidationError, type ValidationIssue } from '@coord/client';
import { applySchema, isPlainObject, schemaError } from '@coord/config/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { copy, deepMerge } from './deep-merge.js';
import type { SuppliedPart } from './layer.js';
import type { ResolvedConfigManagerOptions, UpdateContext, ValidatorResult } from './options.js';
import { Rejection } from './rejection.js';

/** Runs a step of the user's under a deadline. */
export type RunStep = <R>(what: string, step: (context: UpdateContext) => R | Promise<R>) => Promise<R>;

/**
 * The configuration that the layers make: each laid over those before it, the first over the defaults;
 * through the schema, past the validators.
 * @throws {Rejection}
 */
export async function buildConfig<T>(
  options: ResolvedConfigManagerOptions<T>,
  parts: readonly SuppliedPart[],
  run: RunStep,
): Promise<T> {
  const merged = merge(options.defaults, parts);
  // Without a schema the caller vouches for the type.
  const config =
    options.schema === undefined ? (merged as T) : await checkSchema(options.schema, merged, run);
  for (const validate of options.validators) {
    const result = await run('validator', (context) => validate(config, context)).catch((error: unknown) => {
      throw new Rejection('validate', error);
    });
    const issues = issuesOf(result);
    if (issues.length > 0) throw new Rejection('validate', new ValidationError(issues));
  }
  return config;
}

/**
 * What holds before `start`: the defaults, checked as far as that can be done at once.
 * @throws {ValidationError}
 */
export function initialConfig<T>({ defaults, schema, required }: ResolvedConfigManagerOptions<T>): T {
  const own = copy(defaults) as T;
  if (schema === undefined || required) return own;
  const result = schema['~standard'].validate(own);
  if (result instanceof Promise) {
    result.catch(() => undefined); // an asynchronous schema has its say in `start`
    return own;
  }
  if (result.issues === undefined) return copy(result.value) as T;
  throw schemaError(result.issues, 'defaults');
}

function merge(defaults: unknown, parts: readonly SuppliedPart[]): unknown {
  for (const { layer, value } of parts) {
    if (!isPlainObject(defaults) || isPlainObject(value)) continue;
    const path = layer === 'service' ? 'value' : layer;
    throw new Rejection(
      'merge',
      new ValidationError([{ path, message: 'must be an object, as the defaults are' }]),
    );
  }
  return parts.reduce((merged, { value }) => deepMerge(merged, value), copy(defaults));
}

async function checkSchema<T>(
  schema: StandardSchemaV1<unknown, T>,
  merged: unknown,
  run: RunStep,
): Promise<T> {
  try {
    // A schema may hand on parts of the input, or of itself: what will be frozen must be ours.
    return copy(await run('schema', () => applySchema(schema, merged))) as T;
  } catch (error) {
    throw new Rejection('schema', error);
  }
}

function issuesOf(result: ValidatorResult): readonly ValidationIssue[] {
  if (typeof result === 'string') return [{ path: 'value', message: result }];
  return result ?? [];
}
