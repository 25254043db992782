import type { KeyValue } from '@coord/client';

/** A key of the centre after one revision, as etcd's own log has it. */
export interface LoggedState {
  readonly revision: bigint;
  /** Absent: no value. */
  readonly text: string | undefined;
  /** The last managed version. */
  readonly version: number;
  readonly external: boolean;
}

/** One managed write that etcd applied. */
export interface Applied {
  readonly call: string;
  readonly key: string;
  readonly version: number;
  readonly revision: bigint;
  readonly operation: string;
  readonly release: string | undefined;
  readonly text: string | undefined;
  /** What was there before. */
  readonly before: LoggedState;
}

export interface Replay {
  readonly violations: readonly string[];
  readonly applied: readonly Applied[];
  /** Each state of each key, in order; first the one of absence. */
  readonly states: ReadonlyMap<string, readonly LoggedState[]>;
  /** What is in the history in the end, newest first. */
  readonly history: ReadonlyMap<string, readonly { version: number; text: string }[]>;
}

export interface LoggedEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly kv: KeyValue;
}

interface Roots {
  readonly raw: string;
  readonly internal: string;
  readonly depth: number;
}

/** A key that has never been written. */
export const NEVER: LoggedState = { revision: 0n, text: undefined, version: 0, external: false };

/** What etcd was made to do, revision by revision, against the data model: each breach is named. */
export function replay(
  log: readonly { readonly revision: bigint; readonly events: readonly LoggedEvent[] }[],
  { raw, internal, depth }: Roots,
): Replay {
  const violations: string[] = [];
  const applied: Applied[] = [];
  const states = new Map<string, LoggedState[]>();
  const history = new Map<string, Map<number, string>>();
  for (const { revision, events } of log) {
    const say = (what: string) => violations.push(`revision ${revision}: ${what}`);
    const raws = new Map<string, string | undefined>();
    const metas = new Map<string, Record<string, unknown>>();
    const written = new Map<string, Map<number, string>>();
    const releases: { id: string; keys: { key: string; to: number }[] }[] = [];
    for (const { type, key, kv } of events) {
      const meta = under(key, `${internal}meta/`);
      const entry = under(key, `${internal}hist/`);
      const value = under(key, raw);
      if (value !== undefined) raws.set(value, type === 'put' ? kv.text() : undefined);
      else if (meta !== undefined) metas.set(meta, JSON.parse(kv.text()));
      else if (entry !== undefined) {
        const [name = '', version = ''] = entry.split('/@/');
        const versions = getOr(history, name, new Map<number, string>());
        if (type === 'delete') versions.delete(Number(version));
        else {
          versions.set(Number(version), kv.text());
          getOr(written, name, new Map<number, string>()).set(Number(version), kv.text());
        }
      } else if (type === 'put') releases.push(JSON.parse(kv.text()));
    }
    for (const [key, { v, op, by, rel, ct }] of metas) {
      const known = getOr(states, key, [NEVER]);
      const before = known.at(-1) ?? NEVER;
      const version = Number(v);
      const adopts = before.external && op !== 'adopt';
      if (version !== before.version + (adopts ? 2 : 1))
        say(`${key} went from ${before.version} to ${version}`);
      const text = raws.get(key);
      if (!raws.has(key) && ct !== undefined) say(`${key} has a new record without a value`);
      if ((text === undefined) !== (ct === undefined))
        say(`${key}: the record does not tell the value's presence`);
      const entries = getOr(written, key, new Map<number, string>());
      if (valueIn(entries.get(version)) !== (text ?? '')) say(`${key}: the history has not got the value`);
      if (
        adopts &&
        version - 1 >= version - depth + 1 &&
        valueIn(entries.get(version - 1)) !== (before.text ?? '')
      ) {
        say(`${key}: what others wrote is not in the history`);
      }
      if (op === 'adopt' && text !== before.text) say(`${key}: adopted something else`);
      const kept = [...getOr(history, key, new Map<number, string>()).keys()];
      if (typeof rel !== 'string' && kept.some((each) => each <= version - depth))
        say(`${key}: history not pruned`);
      applied.push({
        call: String(by),
        key,
        version,
        revision,
        operation: String(op),
        release: typeof rel === 'string' ? rel : undefined,
        text,
        before,
      });
      known.push({ revision, text, version, external: false });
    }
    for (const [key, text] of raws) {
      if (metas.has(key)) continue;
      const known = getOr(states, key, [NEVER]);
      const { version } = known.at(-1) ?? NEVER;
      // Without a version there is nothing that a removal by others could differ from.
      known.push({ revision, text, version, external: text !== undefined || version > 0 });
    }
    for (const key of written.keys()) if (!metas.has(key)) say(`${key}: history without a record`);
    for (const { id, keys } of releases) {
      for (const { key, to } of keys) {
        const meta = metas.get(key);
        if (meta?.v !== to || meta.rel !== id) say(`${key} is not as the release says`);
      }
    }
    for (const [key, { rel }] of metas) {
      if (rel !== undefined && !releases.some(({ id }) => id === rel))
        say(`${key}: a release without a record`);
    }
  }
  const newestFirst = [...history].map(([key, versions]) => {
    const sorted = [...versions].sort(([a], [b]) => b - a);
    return [key, sorted.map(([version, entry]) => ({ version, text: valueIn(entry) ?? '' }))] as const;
  });
  return { violations, applied, states, history: new Map(newestFirst) };
}

function under(key: string, root: string): string | undefined {
  return key.startsWith(root) ? key.slice(root.length) : undefined;
}

/** The value in a history entry: what follows its first line. */
function valueIn(entry: string | undefined): string | undefined {
  return entry?.slice(entry.indexOf('\n') + 1);
}

function getOr<V>(map: Map<string, V>, key: string, initial: V): V {
  const present = map.get(key);
  if (present !== undefined) return present;
  map.set(key, initial);
  return initial;
}
