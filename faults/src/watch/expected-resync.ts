import type { EtcdEvent } from '../etcd-event.js';
import { type Change, digestOf, inOrderOfKeys } from './digest.js';
import type { Due, Timeline } from './timeline.js';
import type { WatchRecord } from './watch-record.js';

/** What one watch has to tell when its place in the history is gone. It is asked with rising revisions. */
export class ExpectedResync {
  readonly #record: WatchRecord;
  readonly #timeline: Timeline;
  readonly #state = new Map<string, EtcdEvent>();
  /** The keys that the watch has told of, and that are there. */
  readonly #known = new Set<string>();
  #knownSince: number;
  #position = 0;

  constructor(record: WatchRecord, timeline: Timeline) {
    this.#record = record;
    this.#timeline = timeline;
    this.#knownSince = record.from;
  }

  /** A watch that its caller has opened anew knows nothing of what the one before has told. */
  reopened(revision: number): void {
    this.#knownSince = revision;
    this.#known.clear();
  }

  /** @param wanted the first revision that it has not told yet */
  at(revision: number, wanted: number): Due {
    this.#walk(wanted - 1);
    const known = [...this.#known];
    this.#walk(revision);
    const { resync, ignore } = this.#record;
    const puts = [...this.#state.values()].filter((put) => resync === 'snapshot' || put.revision >= wanted);
    const deletes = known
      .filter((key) => resync === 'difference' && !this.#state.has(key))
      .map((key): Change => ({ type: 'delete', key, value: '', createRevision: 0, revision }));
    const changes = [...puts, ...deletes].filter(({ type }) => type !== ignore);
    return { events: changes.length, digest: digestOf(inOrderOfKeys(changes)) };
  }

  #walk(to: number): void {
    const { revisions } = this.#timeline;
    for (let next = revisions[this.#position]; next; next = revisions[this.#position]) {
      if (next.revision > to) return;
      this.#position += 1;
      for (const event of next.events) this.#apply(event);
    }
  }

  #apply(event: EtcdEvent): void {
    const { type, key, revision } = event;
    if (type === 'put') this.#state.set(key, event);
    else this.#state.delete(key);
    if (revision < this.#knownSince) return;
    if (type === 'put') this.#known.add(key);
    else this.#known.delete(key);
  }
}
