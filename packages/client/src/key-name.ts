import type { KeyValue } from './key-value.js';
import { type Key, textOrBytes } from './range.js';

/** What no text from UTF-8 begins with: half a surrogate pair. */
const NOT_TEXT = '\ud800';

/**
 * The name of a key in a map: its text. Bytes that are not UTF-8 would become one with others, so
 * such a key is named by its bytes (as latin1) behind a character that no text begins with.
 */
export function keyName({ key, rawKey }: KeyValue): string {
  return key.includes('\ufffd') ? nameOfBytes(rawKey, key) : key;
}

/** The name of a key as callers give it. @throws {ValidationError} when it is neither text nor bytes */
export function nameOf(key: Key): string {
  if (typeof key === 'string') return key;
  const bytes = textOrBytes(key, 'key');
  return nameOfBytes(bytes, bytes.toString());
}

function nameOfBytes(bytes: Uint8Array, text: string): string {
  const buffer = bufferOf(bytes);
  return buffer.equals(Buffer.from(text)) ? text : NOT_TEXT + buffer.toString('latin1');
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
