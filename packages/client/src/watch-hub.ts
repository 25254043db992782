import type { CoordLogger } from './logger.js';
import { SharedWatch, startOf, type WatchFollower } from './shared-watch.js';
import type { TxnCodec } from './txn-codec.js';
import type { WatchMux } from './watch-mux.js';
import { identityOf, type WatchTarget } from './watch-target.js';

/** The watches on one target. */
interface Group {
  readonly id: string;
  /** The one that all move to once they have caught up with it. */
  main: SharedWatch | undefined;
  readonly all: Set<SharedWatch>;
  /** By where they start: those that a newcomer with the same start may still join. */
  readonly joinable: Map<string, SharedWatch>;
}

interface Place {
  readonly group: Group;
  watch: SharedWatch;
}

/**
 * Lets those who follow the same range share one watch on the server.
 *
 * A newcomer first gets a watch of its own, for only the server can say what came before it and
 * what after; so does one that has fallen behind. Once it stands where the common watch stands, it
 * moves there and its own watch is cancelled.
 */
export class WatchHub {
  readonly #mux: WatchMux;
  readonly #codec: TxnCodec;
  readonly #logger: CoordLogger;
  readonly #groups = new Map<string, Group>();
  readonly #places = new Map<WatchFollower, Place>();

  constructor(mux: WatchMux, codec: TxnCodec, logger: CoordLogger) {
    this.#mux = mux;
    this.#codec = codec;
    this.#logger = logger;
  }

  add(follower: WatchFollower): void {
    if (this.#places.has(follower)) return;
    const group = this.#groupOf(follower.target);
    const joinable = group.joinable.get(startOf(follower));
    if (joinable?.startsLike(follower)) {
      joinable.followers.add(follower);
      this.#places.set(follower, { group, watch: joinable });
      return;
    }
    const watch = new SharedWatch(follower, this.#codec, this.#logger, {
      moved: () => this.#merge(group, watch),
      ended: () => this.#ended(group, watch),
    });
    group.all.add(watch);
    group.joinable.set(watch.start, watch);
    this.#places.set(follower, { group, watch });
    this.#mux.add(watch);
  }

  /** Takes effect at once, except that what has arrived together is delivered together. */
  remove(follower: WatchFollower): void {
    const place = this.#places.get(follower);
    if (place === undefined) return;
    this.#places.delete(follower);
    place.watch.followers.delete(follower);
    if (place.watch.followers.size === 0) this.#drop(place.group, place.watch);
  }

  /** The token was refused: log in again and open a new stream for all. */
  reauthenticate(): void {
    this.#mux.reauthenticate();
  }

  #groupOf(target: WatchTarget): Group {
    const id = identityOf(target);
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = { id, main: undefined, all: new Set(), joinable: new Map() };
      this.#groups.set(id, group);
    }
    return group;
  }

  #merge(group: Group, watch: SharedWatch): void {
    const { main } = group;
    if (main === undefined) {
      if (watch.upToDate && watch.followers.size > 0) group.main = watch;
      return;
    }
    if (watch === main || !main.covers(watch.next)) return;
    for (const follower of watch.followers) {
      main.followers.add(follower);
      this.#places.set(follower, { group, watch: main });
    }
    watch.followers.clear();
    this.#drop(group, watch);
  }

  #drop(group: Group, watch: SharedWatch): void {
    this.#mux.remove(watch);
    this.#forget(group, watch);
  }

  #ended(group: Group, watch: SharedWatch): void {
    for (const follower of watch.followers) this.#places.delete(follower);
    this.#forget(group, watch);
  }

  #forget(group: Group, watch: SharedWatch): void {
    group.all.delete(watch);
    if (group.main === watch) group.main = undefined;
    if (group.joinable.get(watch.start) === watch) group.joinable.delete(watch.start);
    if (group.all.size === 0) this.#groups.delete(group.id);
  }
}
