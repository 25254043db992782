import { isDeepStrictEqual } from 'node:util';
import { NotFoundError } from '@coord/client';
import type { Change, Decide } from './change.js';
import type { Annotations } from './config-center-types.js';
import { type Content, checkSize, decodeContent } from './content.js';
import { VersionConflictError } from './errors.js';
import { type KeyState, lastVersion } from './key-state.js';
import { isSealed, type Keyring } from './keyring.js';
import type { PastValue } from './past-value.js';
import { assertPrecondition, type Precondition } from './precondition.js';
import type { ReleaseChange, RevertOptions } from './release-types.js';

export interface PutRequest extends Annotations, Precondition {
  readonly content: Content;
  readonly operation: 'put' | 'rollback';
  readonly from?: number | undefined;
  readonly force?: boolean | undefined;
  /** Absent: as the present value. */
  readonly encrypt?: boolean | undefined;
}

export function decidePut(keyring: Keyring, key: string, request: PutRequest): Decide {
  return (state): Change | undefined => {
    assertPrecondition(key, state, request);
    const stored = storedContent(state);
    if (request.encrypt === undefined && stored !== undefined) keyring.assertHasKeyOf(key, stored);
    const present = presentMetadata(state);
    const metadata = request.metadata ?? present;
    const encrypt = request.encrypt ?? isSecret(state);
    const same =
      sameContent(keyring, key, state, request.content, encrypt) &&
      isDeepStrictEqual({ ...metadata }, { ...present });
    if (same && request.force !== true) return undefined;
    const { operation, author, comment, from } = request;
    const content = encrypt ? keyring.seal(key, request.content) : request.content;
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
 * Takes what others left for a version of its own, byte for byte; what should be encrypted, encrypted. `found` gets what it says.
 * The decision throws a `NotFoundError` when there is nothing.
 */
export function decideAdopt(
  keyring: Keyring,
  key: string,
  request: AdoptRequest,
  found: (value: unknown) => void,
): Decide {
  return (state): Change | undefined => {
    assertPrecondition(key, state, request);
    if (state.raw === undefined) throw new NotFoundError(`config "${key}" does not exist`, { key });
    const type = state.external ? 'auto' : (state.meta?.contentType ?? 'auto');
    const content: Content = { type, bytes: state.raw.value };
    checkSize(content);
    found(keyring.decode(key, content));
    if (!state.external) return undefined;
    const { author, comment, metadata = {} } = request;
    const exposed = isSecret(state) && !isSealed(content);
    const adopted = exposed ? keyring.seal(key, content) : content;
    return { operation: 'adopt', content: adopted, author, comment, metadata };
  };
}

/**
 * Back to where a release found the key: to a value of the past, or (undefined) to its absence.
 * The decision throws a `VersionConflictError` when the key is not as the release left it, unless forced.
 */
export function decideRevert(
  keyring: Keyring,
  { key, from, to }: ReleaseChange,
  past: PastValue | undefined,
  { author, comment, force }: RevertOptions,
): Decide {
  const back: Decide =
    past === undefined
      ? decideDelete(key, { author, comment })
      : decidePut(keyring, key, {
          content: past.content,
          encrypt: past.sealed || undefined, // what was secret stays so
          operation: 'rollback',
          from,
          author,
          comment,
        });
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

/** Whether the present value is encrypted, or was until others wrote over it or removed it. */
export function isSecret(state: KeyState): boolean {
  if (state.meta?.contentType === 'sealed') return true;
  const stored = storedContent(state);
  return stored !== undefined && isSealed(stored);
}

function storedContent({ raw, meta, external }: KeyState): Content | undefined {
  return raw && { type: external ? 'auto' : (meta?.contentType ?? 'auto'), bytes: raw.value };
}

/** What others left, as it may be kept: in the place of a secret it is one, too. */
export function leftByOthers(keyring: Keyring, key: string, state: KeyState): Content | undefined {
  if (state.raw === undefined) return undefined;
  const content: Content = { type: 'auto', bytes: state.raw.value };
  const exposed = isSecret(state) && !isSealed(content);
  return exposed && keyring.canSeal ? keyring.seal(key, content) : content;
}

/** Whether a write would change nothing. What others wrote is never the same: writing brings it under a version. */
function sameContent(
  keyring: Keyring,
  key: string,
  { raw, meta, external }: KeyState,
  content: Content,
  encrypt: boolean,
): boolean {
  if (raw === undefined || external) return false;
  const stored = { type: meta?.contentType ?? (encrypt ? 'sealed' : content.type), bytes: raw.value };
  // Writing it again is how a value comes under the key of today.
  if (isSealed(stored) !== encrypt || (encrypt && !keyring.isCurrent(stored))) return false;
  try {
    const present = keyring.open(key, stored);
    if (present.type !== content.type) return false;
    if (Buffer.compare(present.bytes, content.bytes) === 0) return true;
    if (content.type !== 'json') return false;
    // Compared as values: encoders differ in the order of members and in what they escape.
    return isDeepStrictEqual(decodeContent(present), decodeContent(content));
  } catch {
    return false; // what is there is unreadable: replace it
  }
}
