import { hostname } from 'node:os';
import type { KeyValue } from '@coord/client';

/** Who holds a lock, as far as the holder said so: `etcdctl lock` and Go say nothing. */
export interface LockHolder {
  readonly etcdKey: string;
  readonly fencingToken: bigint;
  /** The lease that the key is attached to: the session of its client. */
  readonly leaseId?: bigint;
  readonly host?: string;
  readonly pid?: number;
  readonly purpose?: string;
  /** When the holder entered the queue, by its own clock. */
  readonly since?: Date;
  /** With the token as a decimal string. */
  toJSON(): Record<string, unknown>;
}

/** Descriptions are for people; anything longer was not written by this library. */
const MAX_DESCRIPTION_BYTES = 16 * 1024;

/** Asked for once: the system has to be called for it. */
let host: string | undefined;

/** The last description, since many contenders say the same within one millisecond. */
let last: { readonly purpose: string | undefined; readonly at: number; readonly text: string } | undefined;

/** What a contender writes into its key. */
export function describeSelf(purpose: string | undefined): string {
  const at = Date.now();
  if (last === undefined || last.at !== at || last.purpose !== purpose) {
    host ??= hostname();
    const since = new Date(at).toISOString();
    last = { purpose, at, text: JSON.stringify({ host, pid: process.pid, purpose, since }) };
  }
  return last.text;
}

export type ContenderKey = Pick<KeyValue, 'key' | 'createRevision' | 'value'> &
  Partial<Pick<KeyValue, 'leaseId'>>;

/** Reads a contender's key. What others wrote is not trusted: a field of the wrong type is left out. */
export function holderOf(kv: ContenderKey): LockHolder {
  const { host, pid, purpose, since } = descriptionOf(kv.value);
  const sinceDate = typeof since === 'string' ? new Date(since) : undefined;
  const { leaseId = 0n } = kv;
  return withJson({
    etcdKey: kv.key,
    fencingToken: kv.createRevision,
    ...(leaseId !== 0n && { leaseId }),
    ...(typeof host === 'string' && { host }),
    ...(typeof pid === 'number' && { pid }),
    ...(typeof purpose === 'string' && { purpose }),
    ...(sinceDate !== undefined && !Number.isNaN(sinceDate.getTime()) && { since: sinceDate }),
  });
}

/** Gives it a form in JSON, which knows no bigint. */
export function withJson<H extends Pick<LockHolder, 'fencingToken' | 'leaseId'>>(
  holder: H,
): H & Pick<LockHolder, 'toJSON'> {
  const { fencingToken, leaseId } = holder;
  const json = {
    ...holder,
    fencingToken: fencingToken.toString(),
    ...(leaseId !== undefined && { leaseId: leaseId.toString() }),
  };
  return { ...holder, toJSON: () => json };
}

/** For error messages: `pid 4242 on web-1 ("nightly report"), since 2026-01-31T03:00:00.000Z`. */
export function describeHolder(holder: LockHolder): string {
  if (holder.host === undefined && holder.pid === undefined) return holder.etcdKey;
  const purpose = holder.purpose === undefined ? '' : ` (${JSON.stringify(holder.purpose)})`;
  const since = holder.since === undefined ? '' : `, since ${holder.since.toISOString()}`;
  return `pid ${holder.pid ?? '?'} on ${holder.host ?? 'an unknown host'}${purpose}${since}`;
}

function descriptionOf(value: Uint8Array): Record<'host' | 'pid' | 'purpose' | 'since', unknown> {
  const nothing = { host: undefined, pid: undefined, purpose: undefined, since: undefined };
  if (value.length === 0 || value.length > MAX_DESCRIPTION_BYTES) return nothing;
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(value));
    return typeof parsed === 'object' && parsed !== null ? { ...nothing, ...parsed } : nothing;
  } catch {
    return nothing;
  }
}
