import { type KeyValue, NotFoundError, ValidationError } from '@coord/client';
import type { ConfigStore } from './config-store.js';
import { type Content, decodeContent } from './content.js';
import { isSealed } from './keyring.js';
import { decodeHistoryEntry } from './meta.js';

export interface PastValue {
  /** Decrypted. */
  readonly content: Content;
  readonly sealed: boolean;
  readonly value: unknown;
}

/**
 * The bytes and the content type of a version as they were stored then, and what they say.
 * @param kv the version in the history
 * @throws {NotFoundError} when the history does not have it
 * @throws {ValidationError} when the version is a deletion, was too large to be kept, or cannot be decrypted
 */
export function pastValue(
  { keyring }: ConfigStore,
  key: string,
  version: number,
  kv: KeyValue | undefined,
): PastValue {
  const entry = kv && decodeHistoryEntry(kv.value);
  if (entry === undefined) {
    throw new NotFoundError(`config "${key}": version ${version} is not in the history`, { key });
  }
  const { contentType, omitted } = entry.meta;
  if (contentType === undefined || omitted) {
    const message = contentType === undefined ? 'is a deletion; use delete()' : 'was too large to be kept';
    throw new ValidationError([{ path: 'version', message: `${version} of config "${key}" ${message}` }]);
  }
  const stored: Content = { type: contentType, bytes: entry.bytes };
  const content = keyring.open(key, stored);
  return { content, value: decodeContent(content), sealed: isSealed(stored) };
}
