import { describe, expect, it } from 'vitest';
import { ConnectionError } from './errors.js';
import { createCoordLogger } from './logger.js';
import { SharedWatch, type WatchFollower } from './shared-watch.js';
import { TxnCodec } from './txn-codec.js';
import { EventType, type WatchEventMessage } from './watch-messages.js';

function put(revision: number): WatchEventMessage {
  const kv = {
    key: Buffer.from('a'),
    value: Buffer.from(''),
    mod_revision: BigInt(revision),
    create_revision: 1n,
    version: 1n,
    lease: 0n,
  };
  return { type: EventType.Put, kv, prev_kv: kv };
}

function follower(next: bigint, seen: string[]): WatchFollower {
  return {
    target: { range: { key: Buffer.from('a') }, previous: false, ignore: undefined },
    next,
    attached: (revision) => seen.push(`attached ${revision}`),
    detached: () => seen.push('detached'),
    batch: ({ revision }) => seen.push(`batch ${revision}`),
    progress: (revision) => seen.push(`progress ${revision}`),
    canceled: (revision) => seen.push(`canceled ${revision}`),
    refused: () => seen.push('refused'),
  };
}

const hooks = { moved: () => undefined, ended: () => undefined };
const quiet = createCoordLogger(undefined, 'silent');
const shared = (first: WatchFollower) => new SharedWatch(first, new TxnCodec(''), quiet, hooks);

describe('SharedWatch', () => {
  it('a follower that throws keeps nobody else from hearing it', () => {
    const seen: string[] = [];
    const broken = {
      ...follower(0n, []),
      batch: () => {
        throw new Error('broken');
      },
    };
    const watch = shared(broken);
    watch.followers.add(follower(0n, seen));
    watch.attached(4n);
    watch.events([put(5)], false);
    watch.events([put(6)], false);
    expect(seen).toEqual(['attached 4', 'batch 5', 'batch 6']);
  });

  it('covers only what it has not delivered yet, and only when it is up to date', () => {
    const watch = shared(follower(10n, []));
    expect(watch.covers(10n)).toBe(false);
    watch.attached(20n);
    expect(watch.covers(30n)).toBe(false); // still on its way from 10 to 20
    watch.events([put(20)], false);
    expect([watch.covers(20n), watch.covers(21n), watch.covers(30n)]).toEqual([false, true, true]);
    watch.events([put(30)], true); // half of revision 30: the rest comes, and so may a newcomer
    expect([watch.covers(21n), watch.covers(31n)]).toEqual([true, true]);
  });

  it('a newcomer from now on joins before the request is sent, not after', () => {
    const watch = shared(follower(0n, []));
    const newcomer = follower(0n, []);
    expect(watch.startsLike(newcomer)).toBe(true);
    watch.createRequest();
    expect(watch.startsLike(newcomer)).toBe(false);
    watch.attached(7n);
    expect(watch.startsLike(newcomer)).toBe(false);
  });

  it('needs the revision before its place, also before its first', () => {
    expect(shared(follower(0n, [])).needs).toBe(0n);
    expect(shared(follower(1n, [])).needs).toBe(1n); // there is none before it
    const given = shared(follower(10n, []));
    expect(given.needs).toBe(9n);
    given.attached(20n);
    expect(given.needs).toBe(9n);
    given.events([put(12)], false);
    expect(given.needs).toBe(12n);
    const now = shared(follower(0n, []));
    now.attached(7n);
    expect(now.needs).toBe(7n);
  });

  it('asks again from where it stands when the line is back', () => {
    const watch = shared(follower(0n, []));
    expect(watch.createRequest().start_revision).toBe(0n);
    watch.attached(7n);
    watch.events([put(9)], false);
    watch.detached(new ConnectionError('cut'));
    expect(watch.createRequest().start_revision).toBe(10n);
  });
});
