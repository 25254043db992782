import { type IssueList, readInput, show } from '@coord/client/internal';
import type { Annotations } from './config-center-types.js';
import { FORBIDDEN_NAMES } from './json-limits.js';
import type { Keyring } from './keyring.js';
import { isStringRecord } from './meta.js';

const MAX_ANNOTATION_BYTES = 16 * 1024;

/** Annotations are stored with each version, beside the value: they are to be small. */
export function checkAnnotations(issues: IssueList, { author, comment, metadata }: Annotations): void {
  if (author !== undefined && typeof author !== 'string') {
    issues.push({ path: 'author', message: `must be a string, got ${show(author)}` });
  }
  if (comment !== undefined && typeof comment !== 'string') {
    issues.push({ path: 'comment', message: `must be a string, got ${show(comment)}` });
  }
  if (metadata !== undefined && !readInput('metadata', () => isStringRecord(metadata))) {
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

export function checkEncrypt(issues: IssueList, encrypt: unknown, keyring: Keyring): void {
  if (encrypt !== undefined && typeof encrypt !== 'boolean') {
    issues.push({ path: 'encrypt', message: `must be true or false, got ${show(encrypt)}` });
  } else if (encrypt === true && !keyring.canSeal) {
    issues.push({ path: 'encrypt', message: 'needs a key; give it to the centre with `encryption`' });
  }
}
