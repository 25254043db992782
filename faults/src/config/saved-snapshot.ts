import { existsSync, readFileSync } from 'node:fs';
import type { ConfigCenter } from '@coord/config';
import { internalsOfCenter } from '@coord/config/internal';
import { objectOf } from './config-log.js';
import type { Saved, Shown } from './config-operations.js';

/** What a snapshot file holds. It is encrypted, so that one that is cut short or mixed cannot be read. */
export function savedIn(config: ConfigCenter, file: string, key: string): Saved {
  if (!existsSync(file)) return 'nothing';
  const bytes = readFileSync(file);
  const end = bytes.indexOf('\n');
  const header = objectOf(bytes.subarray(0, Math.max(end, 0)).toString());
  if (header?.contentType === undefined)
    return isTombstone(header, bytes.subarray(end + 1)) ? 'nothing' : 'broken';
  if (header.contentType !== 'sealed') return 'broken';
  try {
    internalsOfCenter(config)?.keyring.open(key, { type: 'sealed', bytes: bytes.subarray(end + 1) });
    return 'whole';
  } catch {
    return 'broken';
  }
}

/** What is saved when the key is absent: a header, and nothing after it. */
function isTombstone(header: Shown | undefined, rest: Uint8Array): boolean {
  return typeof header?.revision === 'string' && rest.length === 0;
}
