import { type KeyValue, NotFoundError, ValidationError } from '@coord/client';
import { type Content, decodeContent } from './content.js';
import { decodeHistoryEntry } from './meta.js';

export interface PastValue {
  readonly content: Content;
  readonly value: unknown;
}

/**
 * The bytes and the content type of a version as they were stored then, and what they say.
 * @param kv the version in the history
 * @throws {NotFoundError} when the history does not have it
 * @throws {ValidationError} when the version is a deletion, or was too large to be kept
 */
export function pastValue(key: string, version: number, kv: KeyValue | undefined): PastValue {
  const entry = kv && decodeHistoryEntry(kv.value);
  if (entry === undefined) {
    throw new NotFoundError(`config "${key}": version ${version} is not in the history`, { key });
  }
  const { contentType, omitted } = entry.meta;
  if (contentType === undefined || omitted) {
    const message = contentType === undefined ? 'is a deletion; use delete()' : 'was too large to be kept';
    throw new ValidationError([{ path: 'version', message: `${version} of config "${key}" ${message}` }]);
  }
  const content: Content = { type: contentType, bytes: entry.bytes };
  return { content, value: decodeContent(content) };
}
