import { ValidationError } from './errors.js';
import type { KeyRange } from './range.js';
import { type WatchCreateRequest, WatchFilter } from './watch-messages.js';

/** What is watched, apart from where in the history: equal ones can share one watch on the server. */
export interface WatchTarget {
  readonly range: KeyRange;
  readonly previous: boolean;
  readonly ignore: 'put' | 'delete' | undefined;
}

/** A create larger than a server's message limit (at least 1.5 MiB by default) would end the stream of all. */
const MAX_RANGE_BYTES = 1_048_576;

/** @throws {ValidationError} when the range's keys are too long to be sent */
export function watchTarget(range: KeyRange, previous: boolean, ignore: WatchTarget['ignore']): WatchTarget {
  if (range.key.length + (range.end?.length ?? 0) > MAX_RANGE_BYTES) {
    throw new ValidationError([{ path: 'range', message: `must be at most ${MAX_RANGE_BYTES} bytes` }]);
  }
  return { range, previous, ignore };
}

export function identityOf({ range, previous, ignore }: WatchTarget): string {
  const { key, end } = range;
  return `${key.toString('hex')}:${end?.toString('hex') ?? ''}:${previous}:${ignore ?? ''}`;
}

/** @param next the first revision wanted; 0n = from now on, the only start that etcd serves without delay */
export function createRequestOf(target: WatchTarget, next: bigint): WatchCreateRequest {
  const { range, previous, ignore } = target;
  return {
    key: range.key,
    range_end: range.end,
    start_revision: next,
    progress_notify: true,
    fragment: true,
    prev_kv: previous,
    filters: ignore && [ignore === 'put' ? WatchFilter.Noput : WatchFilter.Nodelete],
  };
}
