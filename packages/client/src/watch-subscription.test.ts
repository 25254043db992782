import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Coalescer } from './coalescing/coalescer.js';
import type { KvMethod, SendUnary } from './coalescing/kv-call.js';
import { CompactedError, type CoordError } from './errors.js';
import { EtcdKeyValue } from './key-value.js';
import { KvClient } from './kv-client.js';
import { createCoordLogger } from './logger.js';
import { resolveClientOptions } from './options.js';
import type { UnaryRpcs } from './rpc.js';
import { Slots } from './slots.js';
import { Transport } from './transport.js';
import { TxnCodec } from './txn-codec.js';
import type { WatchBatch } from './watch.js';
import { WatchHub } from './watch-hub.js';
import { WatchMux } from './watch-mux.js';
import { WatchSubscription } from './watch-subscription.js';

// The subscription by itself: the test tells it what the server says, and answers its reads.

const logger = createCoordLogger(undefined, 'silent');
let transport: Transport;
let coalescer: Coalescer;
/** Answers the oldest read that is under way, with etcd's revision then. */
let reads: ((revision: bigint) => void)[];
let seen: bigint[];
let failures: CoordError[];

const send: SendUnary = (method) =>
  new Promise((resolve) => {
    reads.push((revision) => resolve(emptyAnswer(method, revision)));
  });

function emptyAnswer<M extends KvMethod>(method: M, revision: bigint): UnaryRpcs[M]['response'];
function emptyAnswer(method: KvMethod, revision: bigint): UnaryRpcs[KvMethod]['response'] {
  if (method !== 'range') throw new Error(`it only reads, but asked for ${method}`);
  return { header: { cluster_id: 1n, revision }, kvs: [], more: false, count: 0 };
}

beforeEach(() => {
  [reads, seen, failures] = [[], [], []];
  transport = new Transport(resolveClientOptions({}), logger);
  const rules = () => ({ nestedTxnSafe: true, putInTxnSafe: true });
  coalescer = new Coalescer({ send, requestTimeoutMs: 5_000, rules });
});
afterEach(() => {
  coalescer.close();
  transport.close();
});

function subscribe(start: bigint): WatchSubscription {
  const codec = new TxnCodec('');
  const mux = new WatchMux(transport, logger, { quietMs: 1_000, answerMs: 1_000 });
  mux.close(); // nothing is sent
  const hub = new WatchHub(mux, codec, logger);
  const kv = new KvClient(coalescer, codec, () => undefined);
  const context = { hub, kv, codec, logger, lists: new Slots(1), usesToken: false };
  return new WatchSubscription('a', { start, onCompacted: 'fail' }, context, {
    batch: ({ revision }) => seen.push(revision),
    snapshot: () => undefined,
    failed: (error) => failures.push(error),
  });
}

function batch(revision: bigint): WatchBatch {
  const wire = { key: Buffer.from('a'), value: Buffer.from(''), version: 1n, create_revision: 1n, lease: 0n };
  const kv = new EtcdKeyValue({ ...wire, mod_revision: revision });
  return { revision, resync: false, events: [{ type: 'put', key: 'a', kv }] };
}

describe('a member that knows less than the watch has seen', () => {
  it('lags behind, and may catch up while the cluster is asked: what it delivers meanwhile is no evidence', async () => {
    const subscription = subscribe(11n);
    subscription.batch(batch(11n));
    subscription.attached(5n);
    await turn();
    subscription.batch(batch(12n));
    expect(reads).toHaveLength(1);
    reads[0]?.(11n); // as it was before the batch
    await turn();
    subscription.batch(batch(13n));
    expect([seen, failures]).toEqual([[11n, 12n, 13n], []]);
  });

  it('is one of a restored cluster if that knows less, too', async () => {
    const subscription = subscribe(11n);
    subscription.batch(batch(11n));
    subscription.attached(5n);
    await turn();
    reads[0]?.(10n);
    await turn();
    subscription.batch(batch(12n));
    expect(seen).toEqual([11n]);
    expect(failures).toEqual([expect.any(CompactedError)]);
    expect(String(failures[0])).toContain('gone back to revision 10');
  });
});

describe('a shared watch that is cancelled by a compaction', () => {
  it('has lost nothing for who is further than that', () => {
    const [behind, ahead] = [subscribe(11n), subscribe(11n)];
    ahead.batch(batch(11n));
    ahead.batch(batch(12n));
    for (const each of [behind, ahead]) each.canceled(12n, '');
    expect(failures.map(String)).toEqual([expect.stringContaining('revision 11 has been compacted')]);
    ahead.canceled(13n, '');
    expect(failures[1]).toBeInstanceOf(CompactedError);
  });
});
