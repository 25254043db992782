import { isDeepStrictEqual } from 'node:util';
import { NotFoundError } from '@coord/client';
import { type IssueList, show } from '@coord/client/internal';
import type { Change, Decide } from './change.js';
import type { Annotations } from './config-center-types.js';
import { type Content, checkSize, decodeContent } from './content.js';
import { VersionConflictError } from './errors.js';
import { FORBIDDEN_NAMES } from './json-limits.js';
import { type KeyState, lastVersion } from './key-state.js';
import { isStringRecord } from './meta.js';
import type { PastValue } from './past-value.js';
import { assertPrecondition, type Precondition } from './precondition.js';
import type { ReleaseChange, RevertOptions } from './release-types.js';

const MAX_ANNOTATION_BYTES = 16 * 1024;

/** Annotations are stored with each version, beside the value: they are to be small. */
export function checkAnnotations(issues: IssueList, { author, comment, metadata }: Annotations): void {
  if (author !== undefined && typeof author !== 'string') {
    issues.push({ path: 'author', message: `must be a string, got ${show(author)}` });
  }
  if (comment !== undefined && typeof comment !== 'string') {
    issues.push({ path: 'comment', message: `must be a string, got ${show(comment)}` });
  }
  if (metadata !== undefined && !isStringRecord(metadata)) {
    issues.push({ path: 'metadata', message: 'must be an object of strings' });
    return;
  }
  for (const name of Object.keys(metadata ?? {})) {
    // A record with such a name would be refused when it is read.
    if (FORBIDDEN_NAMES.has(name)) {
      issues.push({ path: `metadata.${name}`, message: 'is a forbidden property name' });
    }
  }
  if (Buffer.byteLength(JSON.stringify([author, comment, metadata])) > MAX_ANNOTATION_BYTES) {
    const message = `author, comment and metadata together must be at most ${MAX_ANNOTATION_BYTES} bytes`;
    issues.push({ path: 'metadata', message });
  }
}

export interface PutRequest extends Annotations, Precondition {
  readonly content: Content;
  readonly operation: 'put' | 'rollback';
  readonly from?: number | undefined;
  readonly force?: boolean | undefined;
}

export function decidePut(key: string, request: PutRequest): Decide {
  return (state): Change | undefined => {
    assertPrecondition(key, state, request);
    const present = presentMetadata(state);
    const metadata = request.metadata ?? present;
    const same = sameContent(state, request.content) && isDeepStrictEqual({ ...metadata }, { ...present });
    if (same && request.force !== true) return undefined;
    const { operation, content, author, comment, from } = request;
    return { operation, content, author, comment, metadata, from };
  };
}

export function decideDelete(
  key: string,
  request: Precondition & Pick<Annotations, 'author' | 'comment'>,
): Decide {
  return (state): Change | undefined => {
    assertPrecondition(key, state, request);
    if (state.raw === undefined) return undefined;
    const { author, comment } = request;
    return { operation: 'delete', content: undefined, author, comment, metadata: {} };
  };
}

export interface AdoptRequest extends Annotations, Pick<Precondition, 'revision'> {}

/**
 * Takes what others left for a version of its own, byte for byte. `found` gets what it says.
 * The decision throws a `NotFoundError` when there is nothing.
 */
export function decideAdopt(key: string, request: AdoptRequest, found: (value: unknown) => void): Decide {
  return (state): Change | undefined => {
    assertPrecondition(key, state, request);
    if (state.raw === undefined) throw new NotFoundError(`config "${key}" does not exist`, { key });
    const type = state.external ? 'auto' : (state.meta?.contentType ?? 'auto');
    const content: Content = { type, bytes: state.raw.value };
    checkSize(content);
    found(decodeContent(content));
    if (!state.external) return undefined;
    const { author, comment, metadata = {} } = request;
    return { operation: 'adopt', content, author, comment, metadata };
  };
}

/**
 * Back to where a release found the key: to a value of the past, or (undefined) to its absence.
 * The decision throws a `VersionConflictError` when the key is not as the release left it, unless forced.
 */
export function decideRevert(
  { key, from, to }: ReleaseChange,
  past: PastValue | undefined,
  { author, comment, force }: RevertOptions,
): Decide {
  const back: Decide =
    past === undefined
      ? decideDelete(key, { author, comment })
      : decidePut(key, { content: past.content, operation: 'rollback', from, author, comment });
  return (state) => {
    const actual = lastVersion(state);
    const { external } = state;
    if (force !== true && (external || actual !== to)) {
      throw new VersionConflictError(key, { expected: to, actual, external });
    }
    return back(state);
  };
}

function presentMetadata(state: KeyState): Readonly<Record<string, string>> {
  return state.raw === undefined ? {} : (state.meta?.metadata ?? {});
}

/** Whether a write would change nothing. What others wrote is never the same: writing brings it under a version. */
function sameContent(state: KeyState, content: Content): boolean {
  if (state.raw === undefined || state.external) return false;
  const present = { type: state.meta?.contentType ?? content.type, bytes: state.raw.value };
  if (present.type !== content.type) return false;
  if (Buffer.compare(present.bytes, content.bytes) === 0) return true;
  if (content.type !== 'json') return false;
  try {
    // Compared as values: encoders differ in the order of members and in what they escape.
    return isDeepStrictEqual(decodeContent(present), decodeContent(content));
  } catch {
    return false; // what is there is unreadable: replace it
  }
}
