import { ValidationError, type ValidationIssue } from '@coord/client';
import { type IssueList, show } from '@coord/client/internal';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isPlainObject } from './json-encode.js';

/** A JSON Schema as plain JSON: draft 2020-12, or draft 7 if its `$schema` says so. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A schema is read by every writer, before each write. */
const MAX_SCHEMA_BYTES = 64 * 1024;
const TARGET = 'draft-2020-12';

/**
 * The JSON Schema of what a caller gave: as it is, or as a Standard Schema describes its input.
 * Adds an issue when it is none, or none that can be checked.
 */
export function jsonSchemaOf(issues: IssueList, given: unknown): string {
  const schema = converted(issues, given);
  if (schema === undefined) return '';
  const text = JSON.stringify(schema);
  if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) {
    issues.push({ path: 'schema', message: `must be at most ${MAX_SCHEMA_BYTES} bytes as JSON` });
    return '';
  }
  try {
    compile(text);
  } catch (error) {
    issues.push({ path: 'schema', message: `is no JSON Schema that can be checked: ${reasonOf(error)}` });
  }
  return text;
}

function converted(issues: IssueList, given: unknown): unknown {
  if (isStandard(given)) {
    try {
      const input: unknown = given['~standard'].jsonSchema?.input({ target: TARGET });
      if (input !== undefined) return input;
      issues.push({ path: 'schema', message: 'cannot describe itself as JSON Schema; give one instead' });
    } catch (error) {
      issues.push({ path: 'schema', message: `cannot describe itself as JSON Schema: ${reasonOf(error)}` });
    }
    return undefined;
  }
  if (isPlainObject(given)) return given;
  issues.push({ path: 'schema', message: `must be a JSON Schema or a Standard Schema, got ${show(given)}` });
  return undefined;
}

interface Describing {
  readonly '~standard': {
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => unknown };
  };
}

function isStandard(given: unknown): given is Describing {
  return (
    ((typeof given === 'object' && given !== null) || typeof given === 'function') && '~standard' in given
  );
}

/**
 * What is wrong with a value, by the JSON Schema with this text; with the path of each problem.
 * @throws {ValidationError} when the text is no JSON Schema
 */
export function checkByJsonSchema(text: string, value: unknown): readonly ValidationIssue[] {
  if (value instanceof Uint8Array)
    return [{ path: 'value', message: 'is bytes, which no JSON Schema describes' }];
  const check = compiled(text);
  if (check(withoutBigints(value))) return [];
  return (check.errors ?? []).slice(0, MAX_ISSUES).map(toIssue);
}

/** Enough to mend the input. */
const MAX_ISSUES = 50;

const CHECKS = new Map<string, ValidateFunction>();
/** Compiling takes milliseconds, and compiled code memory. */
const MAX_CHECKS = 100;

function compiled(text: string): ValidateFunction {
  const known = CHECKS.get(text);
  if (known !== undefined) return known;
  let check: ValidateFunction;
  try {
    check = compile(text);
  } catch (error) {
    const message = `stored beside the key is no JSON Schema that can be checked: ${reasonOf(error)}`;
    throw new ValidationError([{ path: 'schema', message }]);
  }
  const [oldest] = CHECKS.keys();
  if (CHECKS.size >= MAX_CHECKS && oldest !== undefined) CHECKS.delete(oldest);
  CHECKS.set(text, check);
  return check;
}

function compile(text: string): ValidateFunction {
  const schema: unknown = JSON.parse(text);
  if (!isPlainObject(schema)) throw new TypeError('must be an object');
  const draft7 = typeof schema.$schema === 'string' && schema.$schema.includes('draft-07');
  // An instance of its own for each: schemas with the same $id do not meet.
  const options = { allErrors: true, strict: false, validateFormats: false, logger: false } as const;
  const check = draft7 ? new Ajv(options).compile(schema) : new Ajv2020(options).compile(schema);
  if ('$async' in check) throw new TypeError('must not be asynchronous');
  return check;
}

/** JSON Schema knows numbers of any size; the validator knows those of JavaScript. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutBigints(member)]));
}

function toIssue({ instancePath, message, params }: ErrorObject): ValidationIssue {
  const steps = instancePath.split('/').slice(1);
  const names = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const path = names.map((name) => (/^\d+$/.test(name) ? `[${name}]` : `.${name}`)).join('');
  const extra: unknown = params.additionalProperty ?? params.unevaluatedProperty;
  const which = typeof extra === 'string' ? `: ${show(extra)}` : '';
  return { path: `value${path}`, message: `${message ?? 'does not fit the schema'}${which}` };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
