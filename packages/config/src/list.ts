import { CompactedError, type RangeResult, ValidationError } from '@coord/client';
import { type IssueList, show } from '@coord/client/internal';
import type { ConfigStore } from './config-store.js';

/** A page of keys. */
export interface ConfigKeyPage {
  readonly keys: readonly string[];
  /** Pass it on for the next page; absent on the last one. */
  readonly cursor?: string;
  /** False: etcd no longer had the first page's revision, so keys changed meanwhile may be missed. */
  readonly consistent: boolean;
}

/** Where the last page ended, and the revision that all pages are read at. */
export interface ListCursor {
  readonly after: string;
  readonly revision: bigint;
  readonly consistent: boolean;
}

export async function listKeys(
  store: ConfigStore,
  prefix: string,
  limit: number,
  cursor: ListCursor | undefined,
  signal: AbortSignal,
): Promise<ConfigKeyPage> {
  const { layout, client } = store;
  const range = layout.rawBelow(prefix);
  const start = cursor === undefined ? range.start : `${cursor.after}\0`; // the next key there can be
  if (!start.startsWith(range.start)) {
    throw new ValidationError([{ path: 'cursor', message: 'belongs to another prefix' }]);
  }
  const read = (revision: bigint) =>
    client.kv.range({ start, end: range.end }, { limit, keysOnly: true, revision, signal });
  let consistent = cursor?.consistent ?? true;
  let page: RangeResult;
  try {
    page = await read(consistent ? (cursor?.revision ?? 0n) : 0n);
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error;
    consistent = false;
    page = await read(0n);
  }
  // Keys that others wrote with names we do not accept cannot be read by `get` either.
  const keys = page.kvs.map((kv) => layout.keyOf(kv.key)).filter((key) => key !== undefined);
  const last = page.kvs.at(-1);
  if (!page.more || last === undefined) return { keys, consistent };
  const next = { after: last.key, revision: cursor?.revision ?? page.revision, consistent };
  return { keys, cursor: encodeCursor(next), consistent };
}

function encodeCursor({ after, revision, consistent }: ListCursor): string {
  return Buffer.from(JSON.stringify([after, revision.toString(), consistent])).toString('base64url');
}

export function decodeCursor(issues: IssueList, cursor: unknown): ListCursor | undefined {
  if (cursor === undefined) return undefined;
  try {
    const parts: unknown = JSON.parse(Buffer.from(String(cursor), 'base64url').toString('utf8'));
    if (Array.isArray(parts)) {
      const [after, revision, consistent]: unknown[] = parts;
      if (typeof after === 'string' && typeof revision === 'string' && typeof consistent === 'boolean') {
        return { after, revision: BigInt(revision), consistent };
      }
    }
  } catch {
    // reported below
  }
  issues.push({ path: 'cursor', message: `must come from an earlier page, got ${show(cursor)}` });
  return undefined;
}
