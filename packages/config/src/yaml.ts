import { ValidationError, type ValidationIssue } from '@coord/client';
import { assertValid, type IssueList } from '@coord/client/internal';
import { LineCounter, parseDocument, stringify } from 'yaml';
import { checkStructure } from './json-decode.js';
import { encodeJson } from './json-encode.js';

/** Aliases let a short text stand for a very large value. */
const MAX_ALIASES = 100;

/**
 * What a YAML document says, as JSON has it: the core schema of YAML 1.2, no tags of others, no keys but strings.
 * Integers beyond 2^53 are bigints.
 * @throws {ValidationError} with the place of each mistake, never with the text
 */
export function decodeYaml(text: string, path: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: 'core',
    intAsBigInt: true,
    prettyErrors: false,
    strict: true,
    uniqueKeys: true,
    stringKeys: true,
    lineCounter: lines,
    logLevel: 'error',
  });
  const problems = [...document.errors, ...document.warnings];
  assertValid(
    problems.map(({ code, pos }) => {
      const { line, col } = lines.linePos(pos[0]);
      return { path, message: `is not valid YAML: ${code} in line ${line}, column ${col}` };
    }),
  );
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    throw new ValidationError([{ path, message: 'is YAML with too many aliases' }]);
  }
  const issues: IssueList = [];
  checkStructure(issues, value, path, 0);
  assertValid(issues);
  return withNumbers(value);
}

/** A YAML document of a value that JSON could hold, too. */
export function encodeYaml(issues: IssueList, value: unknown, path: string): string {
  const count = issues.length;
  encodeJson(issues, value, path);
  return issues.length > count ? '' : stringify(value, { schema: 'core', aliasDuplicateObjects: false });
}

/** What keeps a text from being read back as YAML. */
export function yamlProblems(text: string, path: string): readonly ValidationIssue[] {
  if (!text.isWellFormed()) return [{ path, message: 'is not well-formed Unicode (lone surrogate)' }];
  try {
    decodeYaml(text, path);
    return [];
  } catch (error) {
    if (error instanceof ValidationError) return error.issues;
    throw error;
  }
}

/** Integers that a number holds exactly are numbers. */
function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(withNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withNumbers(member)]));
}
