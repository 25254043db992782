import { type Applied, type LoggedState, NEVER, type Replay } from './replay.js';

/** The state that a guarded write requires of a key. */
export interface Expected {
  readonly version?: number;
  readonly revision?: bigint;
  /** As the write left it that made this version, a deletion too. */
  readonly untouchedSince?: number;
}

/** How a call ended, and what it claims. */
export interface CallRecord {
  /** Also the author of what it wrote. */
  readonly call: string;
  readonly type: string;
  readonly keys: readonly string[];
  /** What a guarded call required, by key. */
  readonly expected: ReadonlyMap<string, Expected>;
  /** The store's revision before and after. */
  readonly from: bigint;
  readonly to: bigint;
  readonly end: Done | { readonly type: 'failed'; readonly error: string; readonly outcome: string };
}

export interface Done {
  readonly type: 'done';
  /** The keys that it claims to have written, with their versions where it says so. */
  readonly versions: ReadonlyMap<string, number | undefined>;
  readonly revision: bigint | undefined;
}

/** Every call against what etcd applied: nothing lost, nothing twice, nothing that was not claimed. */
export function checkCalls(calls: readonly CallRecord[], { applied, states }: Replay): readonly string[] {
  return calls.flatMap((record) => {
    const own = applied.filter(({ call }) => call === record.call);
    const problems = [...whole(record, own), ...guarded(record, own)];
    if (record.end.type === 'done') problems.push(...asClaimed(record, own));
    else if (record.end.outcome === 'not-applied' && own.length > 0)
      problems.push('was applied all the same');
    if (record.end.type === 'failed' && record.end.error === 'VersionConflictError') {
      if (!conflicted(record, states)) problems.push('met a conflict that never was');
    }
    return problems.map((problem) => `${record.call} (${record.type}): ${problem}`);
  });
}

/** All of its writes at one revision, one for each key at most. */
function whole({ keys }: CallRecord, own: readonly Applied[]): string[] {
  const problems: string[] = [];
  if (new Set(own.map(({ revision }) => revision)).size > 1)
    problems.push('was not applied in one step, or twice');
  if (own.some(({ key }) => !keys.includes(key))) problems.push('wrote another key');
  return problems;
}

function guarded({ expected }: CallRecord, own: readonly Applied[]): string[] {
  return own.flatMap(({ key, before }) => {
    const required = expected.get(key);
    return required === undefined || fits(before, required) ? [] : [`overwrote another state of ${key}`];
  });
}

function fits(state: LoggedState, { version, revision, untouchedSince }: Expected): boolean {
  if (untouchedSince !== undefined && (state.external || state.version !== untouchedSince)) return false;
  const absent = state.text === undefined;
  if (revision !== undefined && revision !== (absent ? 0n : state.revision)) return false;
  if (version === undefined) return true;
  return absent ? version === 0 : !state.external && version === state.version;
}

function asClaimed({ end, type }: CallRecord, own: readonly Applied[]): string[] {
  if (end.type !== 'done') return [];
  const problems: string[] = [];
  for (const [key, version] of end.versions) {
    const write = own.find((each) => each.key === key);
    if (write === undefined) {
      // An adoption of what has a version, and a revert to what is there, write nothing.
      if (type !== 'adopt') problems.push(`claims version ${version} of ${key}, which it did not write`);
    } else if (version === undefined) {
      if (write.operation !== 'delete') problems.push('did not delete');
    } else if (write.version !== version)
      problems.push(`claims ${version} of ${key}, wrote ${write.version}`);
    else if (end.revision !== write.revision)
      problems.push(`claims revision ${end.revision}, wrote ${write.revision}`);
  }
  if (own.length > end.versions.size) problems.push('wrote more than it claims');
  return problems;
}

/** Whether at some moment of the call one of its keys was not as it required. */
function conflicted({ expected, from, to }: CallRecord, states: Replay['states']): boolean {
  return [...expected].some(([key, required]) => {
    const known = states.get(key) ?? [NEVER];
    const during = known.filter(({ revision }, index) => {
      const next = known[index + 1];
      return revision <= to && (next === undefined || next.revision > from);
    });
    return during.some((state) => !fits(state, required));
  });
}
