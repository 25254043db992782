import type { Candidate } from './candidate.js';
import type { ConfigSource, RejectionPhase } from './config-manager-types.js';
import { isMain } from './layer.js';
import type { ManagerState } from './manager-state.js';

/** What an instance has in use, as it is told in etcd. Never a value, nor a message: it might quote one. */
export interface AckRecord {
  readonly format: 1;
  readonly source: ConfigSource;
  /** Of the key, in use. */
  readonly version: number;
  /** The `mod_revision` of the raw key in use; '0' = it is absent, and that is known. */
  readonly revision: string;
  /** The id of the canary in use. */
  readonly canary?: string | undefined;
  readonly rejected?: AckRejection | undefined;
  /** Milliseconds since 1970, by the clock of the instance. */
  readonly at: number;
}

export interface AckRejection {
  readonly phase: RejectionPhase;
  readonly version: number;
  readonly revision: string;
  readonly paths: readonly string[];
}

/** What is to be told after a candidate has been worked off. */
export function ackOf<T>({ origin, rejected }: ManagerState<T>, done: Candidate): AckRecord {
  const { source, version, parts } = origin;
  const inUse = rejected === undefined ? done.keyRevision : (parts.find(isMain)?.revision ?? 0n);
  return {
    format: 1,
    source,
    version,
    revision: String(inUse),
    canary: parts.find(({ layer }) => layer === 'canary')?.key,
    rejected: rejected && {
      phase: rejected.phase,
      version: rejected.version,
      revision: String(rejected.revision),
      paths: rejected.issues.map(({ path }) => path),
    },
    at: Date.now(),
  };
}

/** Where the instances of a key tell what they use. */
export function ackPrefix(recordRoot: string, key: string): string {
  return `${recordRoot}/ack/${key}/@/`;
}

/** Undefined for what is none: another version of Coord may write others. */
export function decodeAck(text: string): AckRecord | undefined {
  try {
    const ack: unknown = JSON.parse(text);
    return isAck(ack) ? ack : undefined;
  } catch {
    return undefined;
  }
}

function isAck(ack: unknown): ack is AckRecord {
  if (typeof ack !== 'object' || ack === null) return false;
  const { format, source, version, revision, canary, rejected, at } = ack as Record<string, unknown>;
  return (
    format === 1 &&
    typeof source === 'string' &&
    typeof version === 'number' &&
    isDecimal(revision) &&
    typeof at === 'number' &&
    (canary === undefined || typeof canary === 'string') &&
    (rejected === undefined || isRejection(rejected))
  );
}

function isRejection(rejected: unknown): boolean {
  if (typeof rejected !== 'object' || rejected === null) return false;
  const { phase, version, revision, paths } = rejected as Record<string, unknown>;
  return (
    typeof phase === 'string' && typeof version === 'number' && isDecimal(revision) && Array.isArray(paths)
  );
}

function isDecimal(text: unknown): boolean {
  return typeof text === 'string' && /^\d{1,19}$/.test(text);
}
