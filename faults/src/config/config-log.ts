import type { EtcdEvent } from '../etcd-event.js';
import { pastOf } from './config-names.js';
import type { Shown } from './config-operations.js';

/** What one transaction did. */
export interface Step {
  readonly revision: number;
  readonly events: readonly EtcdEvent[];
}

export function stepsOf(log: readonly EtcdEvent[]): Step[] {
  const steps: { revision: number; events: EtcdEvent[] }[] = [];
  for (const event of log) {
    const last = steps.at(-1);
    if (last?.revision === event.revision) last.events.push(event);
    else steps.push({ revision: event.revision, events: [event] });
  }
  return steps;
}

/** A record on the first line, and a value after it. */
export interface Entry {
  readonly record: Shown;
  readonly value: string;
}

/** Undefined for what is none. */
export function entryOf(text: string): Entry | undefined {
  const end = text.indexOf('\n');
  const record = objectOf(text.slice(0, Math.max(end, 0)));
  return record && { record, value: text.slice(end + 1) };
}

/** Undefined for what is no JSON object. */
export function objectOf(text: string): Shown | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Shown {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A version as it was written. */
export interface Past {
  readonly revision: number;
  readonly key: string;
  readonly version: number;
  readonly operation: string;
  /** The id of the attempt that wrote it; empty: what others had left. */
  readonly attempt: string;
  readonly from: number;
  readonly value: string;
}

/** The versions that were written, oldest first. */
export function pastsOf({ revision, events }: Step): Past[] {
  const pasts = events.flatMap(({ type, key: etcdKey, value: text }): Past[] => {
    const at = type === 'put' ? pastOf(etcdKey) : undefined;
    const entry = at && entryOf(text);
    if (at === undefined || entry === undefined) return [];
    const { op, msg, from } = entry.record;
    const attempt = typeof msg === 'string' ? msg : '';
    return [{ revision, ...at, operation: String(op), attempt, from: Number(from ?? 0), value: entry.value }];
  });
  return pasts.sort((a, b) => a.version - b.version);
}

const ID = /p\d+(?:\.\d+)?-\d+(?:-last)?/;

/** The id of what stands in `bounds`, whoever wrote it. */
export function idIn(text: string): string {
  const id = objectOf(text)?.id;
  return typeof id === 'string' ? id : (ID.exec(text)?.[0] ?? '');
}
