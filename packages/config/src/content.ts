import { ValidationError } from '@coord/client';
import { assertValid, type CoordLogger, type IssueList, show } from '@coord/client/internal';
import { decodeJson } from './json-decode.js';
import { encodeJson } from './json-encode.js';
import { decodeYaml, encodeYaml, yamlProblems } from './yaml.js';

/**
 * How the bytes of a value are to be read. `auto`: written by others, who left no content type:
 * JSON if it is JSON, else text, else bytes, as the Go original does. `sealed`: encrypted; see `Keyring`.
 */
export type ContentType = 'text' | 'json' | 'yaml' | 'bytes' | 'auto' | 'sealed';

/** A value as it is stored. */
export interface Content {
  readonly type: ContentType;
  readonly bytes: Uint8Array;
}

/** From this size on a value is stored with a warning: every watcher and the history carry it. */
export const LARGE_VALUE_BYTES = 256 * 1024;

export function warnIfLarge(logger: CoordLogger, key: string, { bytes }: Content): void {
  if (bytes.length >= LARGE_VALUE_BYTES) logger.warn('large config value', { key, size: bytes.length });
}

/** A write carries the value twice, and one of others perhaps as a third; etcd takes 1.5 MiB a request. */
export const MAX_VALUE_BYTES = 512 * 1024;

/** What others wrote may be larger, up to what etcd takes at all by default; parsing more is refused. */
const MAX_READ_BYTES = 2 * 1024 * 1024;

/** How to store a value that is neither text nor bytes; with `yaml` a text is the document itself. */
export type ConfigFormat = 'json' | 'yaml';

/**
 * Strings are stored as they are, bytes as they are, everything else as JSON; or all of it as YAML.
 * Adds an issue for each problem.
 */
export function encodeContent(
  issues: IssueList,
  value: unknown,
  { path = 'value', format = 'json' }: { path?: string; format?: ConfigFormat | undefined } = {},
): Content {
  if (format !== 'json' && format !== 'yaml') {
    issues.push({ path: 'format', message: `must be 'json' or 'yaml', got ${show(format)}` });
  }
  const content = format === 'yaml' ? encodeAsYaml(issues, value, path) : encode(issues, value, path);
  issues.push(...sizeIssues(content, path));
  return content;
}

/** @throws {ValidationError} when it is too large to be written */
export function checkSize(content: Content, path = 'value'): void {
  assertValid(sizeIssues(content, path));
}

function sizeIssues({ bytes }: Content, path: string): IssueList {
  if (bytes.length <= MAX_VALUE_BYTES) return [];
  const message = `must be at most ${MAX_VALUE_BYTES} bytes, got ${bytes.length}; split it into several keys`;
  return [{ path, message }];
}

function encodeAsYaml(issues: IssueList, value: unknown, path: string): Content {
  const found: IssueList = [];
  const text = typeof value === 'string' ? value : encodeYaml(found, value, path);
  if (Buffer.byteLength(text) <= MAX_VALUE_BYTES) found.push(...yamlProblems(text, path));
  issues.push(...found);
  return { type: 'yaml', bytes: Buffer.from(text) };
}

function encode(issues: IssueList, value: unknown, path: string): Content {
  if (value instanceof Uint8Array) {
    return { type: 'bytes', bytes: Uint8Array.from(value) }; // the caller may change his while we wait
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) {
      issues.push({ path, message: 'is not well-formed Unicode (lone surrogate)' });
    }
    return { type: 'text', bytes: Buffer.from(value) };
  }
  return { type: 'json', bytes: Buffer.from(encodeJson(issues, value, path)) };
}

/** @throws {ValidationError} when the bytes cannot be read as their type says, or are not to be trusted */
export function decodeContent(content: Content, path = 'value'): unknown {
  const { type, bytes } = content;
  if (type === 'bytes') return Uint8Array.from(bytes);
  if (bytes.length > MAX_READ_BYTES) {
    throw new ValidationError([{ path, message: `is larger than ${MAX_READ_BYTES} bytes: ${bytes.length}` }]);
  }
  switch (type) {
    case 'text':
      return decodeText(bytes, path);
    case 'yaml':
      return decodeYaml(decodeText(bytes, path), path);
    case 'json':
      return decodeAsJson(decodeText(bytes, path), path);
    case 'auto':
      return decodeAuto(bytes, path);
    default:
      throw new ValidationError([
        { path, message: 'has a content type that this version of Coord does not know' },
      ]);
  }
}

function decodeText(bytes: Uint8Array, path: string): string {
  const text = utf8(bytes);
  if (text === undefined) throw new ValidationError([{ path, message: 'is not valid UTF-8' }]);
  return text;
}

function decodeAsJson(text: string, path: string): unknown {
  try {
    return decodeJson(text, path);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ValidationError([{ path, message: 'is not valid JSON' }]); // without cause: it quotes the value
  }
}

function decodeAuto(bytes: Uint8Array, path: string): unknown {
  const text = utf8(bytes);
  if (text === undefined) return Uint8Array.from(bytes);
  try {
    return decodeJson(text, path);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
