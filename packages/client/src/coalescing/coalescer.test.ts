import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NotFoundError, ResourceExhaustedError, ValidationError } from '../errors.js';
import type { CallOptions } from '../kv.js';
import {
  CompareResult,
  CompareTarget,
  type RequestOp,
  type ResponseOp,
  type TxnRequestMessage,
} from '../kv-messages.js';
import type { UnaryRpcs } from '../rpc.js';
import type { CallKind } from '../transport.js';
import { Coalescer } from './coalescer.js';
import { deleteCall, type KvMethod, putCall, rangeCall, type SendUnary, txnCall } from './kv-call.js';

// The scheduler by itself: the requests that it makes wait here until the test answers them.

interface Sent {
  readonly method: KvMethod;
  readonly kind: CallKind;
  readonly options: CallOptions;
  /** The keys of the operations in it. */
  readonly keys: readonly string[];
  /** Another attempt at the same. */
  again(): void;
  answer(): void;
  fail(error: Error): void;
}

let sent: Sent[] = [];
let coalescer: Coalescer;
const SAFE = { nestedTxnSafe: true, putInTxnSafe: true };
const header = { cluster_id: 1n, revision: 9n };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  sent = [];
  coalescer = new Coalescer({ send, requestTimeoutMs: 5_000, rules: () => SAFE });
});
afterEach(() => {
  coalescer.close();
  vi.useRealTimers();
});

const send: SendUnary = (method, make, kind, options) =>
  new Promise((resolve, reject) => {
    let request = make();
    sent.push({
      method,
      kind,
      options,
      get keys() {
        return 'success' in request ? request.success.map(keyOf) : [request.key.toString()];
      },
      again: () => {
        request = make();
      },
      answer: () => resolve(answerTo(method, request)),
      fail: reject,
    });
  });

function keyOf({ request_put, request_range, request_delete_range, request_txn }: RequestOp): string {
  const first = request_put ?? request_range ?? request_delete_range ?? request_txn?.compare[0];
  return first?.key.toString() ?? '';
}

const RANGE = { header, kvs: [], more: false, count: 0 };
const DELETED = { header, deleted: 1, prev_kvs: [] };
/** What nested transactions answer. */
let succeeds = true;

function answerTo<M extends KvMethod>(
  method: M,
  request: UnaryRpcs[KvMethod]['request'],
): UnaryRpcs[M]['response'];
function answerTo(
  method: KvMethod,
  request: UnaryRpcs[KvMethod]['request'],
): UnaryRpcs[KvMethod]['response'] {
  if (method === 'put') return { header, prev_kv: undefined };
  if (method === 'range') return RANGE;
  if (method === 'deleteRange') return DELETED;
  const responses = 'success' in request ? request.success.map(answerOp) : [];
  return { header, succeeded: succeeds, responses };
}

function answerOp(op: RequestOp): ResponseOp {
  if (op.request_put) return { response_put: { header, prev_kv: undefined } };
  if (op.request_range) return { response_range: RANGE };
  if (op.request_delete_range) return { response_delete_range: DELETED };
  return { response_txn: { header, succeeded: true, responses: [] } };
}

const key = (name: string) => Buffer.from(name);
const put = (name: string, options: CallOptions = {}) =>
  coalescer.call(
    putCall({ key: key(name), value: key('v') }, options.idempotent ? 'idempotent' : 'write', () => SAFE),
    options,
  );
const get = (name: string, options: CallOptions = {}) =>
  coalescer.call(rangeCall({ key: key(name) }), options);
const remove = (name: string) => coalescer.call(deleteCall({ key: key(name) }, 'write'), {});
const release = (name: string, kind: CallKind = 'write') => {
  const request: TxnRequestMessage = {
    compare: [
      { key: key(name), target: CompareTarget.Create, result: CompareResult.Equal, create_revision: 5n },
    ],
    success: [{ request_delete_range: { key: key(name) } }],
    failure: [],
  };
  return coalescer.call(txnCall(request, kind), {});
};

const outcomes = (calls: readonly Promise<unknown>[]) =>
  Promise.all(
    calls.map((call) =>
      call.then(
        () => 'done',
        (error: Error & { outcome?: string }) => `${error.name}: ${error.outcome}`,
      ),
    ),
  );

/** What is under way now, by its keys. */
const underWay = () => sent.map(({ keys }) => keys.join(' '));

/** Answers whatever comes until all of it has ended. */
async function finish<T>(ended: Promise<T>): Promise<T> {
  let over = false;
  void ended.finally(() => {
    over = true;
  });
  while (!over) {
    for (const each of sent.splice(0)) each.answer();
    await turn();
  }
  return ended;
}

/** Two writes under way, each in a request of its own: there is no room for another. */
async function fillSlots(options: CallOptions = {}): Promise<readonly Promise<unknown>[]> {
  const first = put('first', options);
  await turn();
  const second = put('second', options);
  await turn();
  return [first, second];
}

describe('slots', () => {
  it('what is called in one turn of the event loop goes together at its end', async () => {
    const calls = [...['a', 'b', 'c'].map((name) => put(name)), ...['a2', 'b2'].map((name) => get(name))];
    await Promise.resolve();
    calls.push(put('d'));
    expect(underWay()).toEqual([]);
    await turn();
    expect(underWay()).toEqual(['a b c d', 'a2 b2']);
    calls.push(put('e'));
    await turn();
    expect(underWay()).toEqual(['a b c d', 'a2 b2', 'e']);
    expect(sent.map(({ method }) => method)).toEqual(['txn', 'txn', 'put']);
    expect(await finish(outcomes(calls))).toEqual(calls.map(() => 'done'));
  });

  it('two requests of a sort at a time; what comes meanwhile goes together', async () => {
    const calls = [...(await fillSlots())];
    for (const name of ['a', 'b', 'c']) {
      calls.push(put(name));
      await turn();
    }
    expect(underWay()).toEqual(['first', 'second']);
    calls.push(get('d'));
    await turn();
    expect(underWay()).toEqual(['first', 'second', 'd']);
    sent.splice(0, 1)[0]?.answer();
    await turn();
    expect(underWay()).toEqual(['second', 'd', 'a b c']);
    expect(await finish(outcomes(calls))).toEqual(calls.map(() => 'done'));
  });

  it('repeatable writes do not mix with others, nor reads that may be stale with those that may not', async () => {
    const calls = [
      ...['a', 'b'].map((name) => put(name)),
      ...['c', 'd'].map((name) => put(name, { idempotent: true })),
      ...['e', 'f'].map((name) => get(name)),
      ...['g', 'h'].map((name) => coalescer.call(rangeCall({ key: key(name), serializable: true }), {})),
    ];
    await turn();
    expect(sent.map(({ keys, kind }) => [keys.join(' '), kind])).toEqual([
      ['a b', 'write'],
      ['c d', 'idempotent'],
      ['e f', 'read'],
      ['g h', 'read'],
    ]);
    await finish(outcomes(calls));
  });

  it('who calls again on his answer goes with the others who do, and not before them', async () => {
    const first = await fillSlots();
    const callers = Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        for (let round = 0; round < 2; round++) await put(`${i}`);
      }),
    );
    sent.splice(0, 1)[0]?.answer();
    await turn();
    expect(underWay()).toEqual(['second', '0 1 2 3 4 5 6 7 8 9']);
    const again = put('10');
    sent.splice(1, 1)[0]?.answer();
    await turn();
    await turn();
    expect(underWay()).toEqual(['second', '10 0 1 2 3 4 5 6 7 8 9']);
    await finish(Promise.all([...first, callers, again]));
  });

  it('who has little time does not go with those who have much: a request leaves a dead line by its own time', async () => {
    const times = [60_000, 1_000, 31_000, 1_900, 60_000, 100, 490];
    const calls = outcomes(times.map((timeoutMs, i) => get(`${i}`, { timeoutMs })));
    await turn();
    expect(sent.map(({ keys, options }) => [keys.join(' '), options.timeoutMs])).toEqual([
      ['0 2 4', 60_000],
      ['1 3', 1_900],
    ]);
    sent.splice(0, 1)[0]?.answer();
    await turn();
    await turn();
    expect(sent.at(-1)).toMatchObject({ keys: ['5', '6'], options: { timeoutMs: 490 } });
    expect(await finish(calls)).toEqual(times.map(() => 'done'));
  });

  it('two sorts of patience in a long queue: nobody is lost or held up', async () => {
    const first = await fillSlots();
    const many = Array.from({ length: 5_000 }, (_, i) => put(`${i}`, { timeoutMs: i % 2 ? 5_000 : 60_000 }));
    expect(await finish(outcomes([...first, ...many]))).toEqual([...first, ...many].map(() => 'done'));
  });

  it.each(['one by itself', 'two together'])(
    'is sent for the time that is left, in whole milliseconds: %s',
    async (how) => {
      const calls = outcomes((how === 'one by itself' ? ['a'] : ['a', 'b']).map((name) => put(name)));
      vi.advanceTimersByTime(300.07);
      await turn();
      expect(sent[0]?.options.timeoutMs).toBe(4_700);
      await finish(calls);
    },
  );

  it('who gives up before the turn is over is not sent', async () => {
    const controller = new AbortController();
    const calls = outcomes([put('a', { signal: controller.signal }), put('b')]);
    const alone = outcomes([get('c', { signal: controller.signal })]);
    controller.abort();
    await turn();
    expect(underWay()).toEqual(['b']);
    sent[0]?.answer();
    expect(await calls).toEqual(['AbortedError: not-applied', 'done']);
    expect(await alone).toEqual(['AbortedError: not-applied']);
  });

  it('what is called in the turn in which the client closes is refused, and not sent', async () => {
    const calls = outcomes([put('a'), get('b')]);
    coalescer.close();
    expect(await calls).toEqual(['ClosedError: not-applied', 'ClosedError: not-applied']);
    await turn();
    expect(underWay()).toEqual([]);
  });

  it('whose time is over when the turn ends is not sent: the process may have stood still', async () => {
    const calls = outcomes([put('a', { timeoutMs: 50 }), put('b')]);
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 100);
    await turn();
    vi.restoreAllMocks();
    expect(underWay()).toEqual(['b']);
    sent[0]?.answer();
    expect(await calls).toEqual(['TimeoutError: not-applied', 'done']);
  });

  it('where nothing can be sent at all, each is told so', async () => {
    coalescer.close();
    const rules = (): never => {
      throw new ValidationError([{ path: 'tls.ca', message: 'cannot be used' }]);
    };
    const refuse: SendUnary = () => Promise.resolve().then(rules);
    coalescer = new Coalescer({ send: refuse, requestTimeoutMs: 5_000, rules });
    const ended = outcomes([release('a'), release('b')]);
    await turn();
    expect(await ended).toEqual(['ValidationError: not-applied', 'ValidationError: not-applied']);
  });

  it('one that takes too long does not count any more', async () => {
    const calls = [...(await fillSlots()), put('c'), put('d')];
    await vi.advanceTimersByTimeAsync(200);
    expect(underWay()).toEqual(['first', 'second']);
    await vi.advanceTimersByTimeAsync(100);
    await turn();
    expect(underWay()).toEqual(['first', 'second', 'c d']);
    await finish(outcomes(calls));
  });
});

describe('a batch that fails', () => {
  /** Makes the calls in one turn, and has them leave as one batch. */
  async function batchOf(calls: () => readonly Promise<unknown>[]): Promise<{ ended: Promise<string[]> }> {
    await turn(); // what went before has gone
    const ended = outcomes(calls());
    await turn();
    return { ended };
  }

  it('because one of it is refused, is sent again in halves', async () => {
    const { ended } = await batchOf(() => ['a', 'b', 'c', 'd'].map((name) => put(name)));
    expect(underWay()).toEqual(['a b c d']);
    sent.splice(0)[0]?.fail(new NotFoundError('txn: lease', { key: 'x' }));
    await turn();
    expect(underWay()).toEqual(['a b', 'c d']);
    sent[0]?.fail(new NotFoundError('txn: lease', { key: 'x' }));
    sent[1]?.answer();
    sent = [];
    await turn();
    expect(underWay()).toEqual(['a', 'b']);
    sent[0]?.fail(new NotFoundError('put: lease', { key: 'x' }));
    sent[1]?.answer();
    expect(await ended).toEqual(['NotFoundError: not-applied', 'done', 'done', 'done']);
  });

  it('because it has too many operations, makes those after it smaller', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const { ended } = await batchOf(() => names.map((name) => put(name)));
    expect(sent.map(({ keys }) => keys.length)).toEqual([100]);
    const error = new ValidationError([{ path: 'txn', message: 'too many operations in txn request' }]);
    sent.splice(0)[0]?.fail(error);
    await turn();
    expect(sent.map(({ keys }) => keys.length)).toEqual([50, 50]);
    await finish(ended);
    const again = await batchOf(() => names.map((name) => put(name)));
    expect(Math.max(...sent.map(({ keys }) => keys.length))).toBe(50);
    await finish(again.ended);
  });

  it('because one call has too many operations, leaves room for the others all the same', async () => {
    const ops = Array.from({ length: 80 }, (_, i) => ({
      request_put: { key: key(`op${i}`), value: key('') },
    }));
    const compare = [
      { key: key('large'), target: CompareTarget.Version, result: CompareResult.Equal, version: 0n },
    ];
    const large = txnCall({ compare, success: ops, failure: [] }, 'write');
    const { ended } = await batchOf(() => [coalescer.call(large, {}), put('small')]);
    expect(underWay()).toEqual(['large small']);
    const error = () => new ValidationError([{ path: 'txn', message: 'too many operations in txn request' }]);
    sent.splice(0)[0]?.fail(error());
    await turn();
    const [alone, small] = sent.splice(0);
    alone?.fail(error());
    small?.answer();
    expect(await ended).toEqual(['ValidationError: not-applied', 'done']);
    const again = await batchOf(() => Array.from({ length: 60 }, (_, i) => put(`k${i}`)));
    expect(Math.max(...sent.map(({ keys }) => keys.length))).toBeGreaterThan(30);
    await finish(again.ended);
  });

  it('for want of space, repeats only the deletion of what was seen', async () => {
    const { ended } = await batchOf(() => [put('a'), remove('b'), release('c'), release('d'), put('e')]);
    const noSpace = new ResourceExhaustedError('txn: database space exceeded', { outcome: 'unknown' });
    sent.splice(0)[0]?.fail(noSpace);
    await turn();
    expect(underWay()).toEqual(['c', 'd']);
    const [first, second] = sent.splice(0);
    first?.answer();
    // Not there any more: deleted by the batch itself, or by somebody else. Nobody can tell.
    succeeds = false;
    second?.answer();
    succeeds = true;
    const unknown = 'ResourceExhaustedError: unknown';
    expect(await ended).toEqual([unknown, unknown, 'done', unknown, unknown]);
  });

  it('believes the answer to the repetition of what may be repeated', async () => {
    const { ended } = await batchOf(() => [release('c', 'idempotent'), put('a', { idempotent: true })]);
    sent
      .splice(0)[0]
      ?.fail(new ResourceExhaustedError('txn: database space exceeded', { outcome: 'unknown' }));
    await turn();
    succeeds = false;
    sent.splice(0)[0]?.answer();
    succeeds = true;
    expect(await ended).toEqual(['done', 'ResourceExhaustedError: unknown']);
  });

  it('separates deletes from puts for a while when there was no space', async () => {
    const failed = await batchOf(() => [put('a'), put('b')]);
    sent
      .splice(0)[0]
      ?.fail(new ResourceExhaustedError('txn: database space exceeded', { outcome: 'unknown' }));
    await failed.ended;
    const mixed = () => [remove('c'), remove('d'), put('e'), put('f')];
    const apart = await batchOf(mixed);
    expect(underWay()).toEqual(['c d', 'e f']);
    await finish(apart.ended);
    await vi.advanceTimersByTimeAsync(5_000);
    const together = await batchOf(mixed);
    expect(underWay()).toEqual(['c d e f']);
    await finish(together.ended);
  });
});

describe('callers who give up', () => {
  it('end a batch only when the last of them has gone', async () => {
    const controllers = [new AbortController(), new AbortController()];
    const ended = outcomes(controllers.map(({ signal }, i) => put(`k${i}`, { signal })));
    await turn();
    const [batch] = sent;
    controllers[0]?.abort();
    expect(batch?.options.signal?.aborted).toBe(false);
    controllers[1]?.abort();
    expect(batch?.options.signal?.aborted).toBe(true);
    expect(await ended).toEqual(['AbortedError: unknown', 'AbortedError: unknown']);
  });

  it('are left out of the next attempt at their batch', async () => {
    const controller = new AbortController();
    const calls = [
      put('a', { idempotent: true }),
      put('b', { idempotent: true, signal: controller.signal }),
      put('c', { idempotent: true, timeoutMs: 2_600 }),
      put('d', { idempotent: true }),
    ];
    const ended = outcomes(calls);
    await turn();
    const [batch] = sent;
    expect(batch?.keys).toEqual(['a', 'b', 'c', 'd']);
    controller.abort();
    await vi.advanceTimersByTimeAsync(2_700);
    batch?.again();
    expect(batch?.keys).toEqual(['a', 'd']);
    batch?.answer();
    expect(await ended).toEqual(['done', 'AbortedError: unknown', 'TimeoutError: unknown', 'done']);
  });

  it('leave the batch to the latest deadline, and have their own', async () => {
    const calls = [put('a', { timeoutMs: 1_000 }), put('b', { timeoutMs: 2_000 }), get('c')];
    const ended = outcomes(calls);
    await turn();
    const batch = sent.find(({ keys }) => keys.join(' ') === 'a b');
    expect(batch?.options.timeoutMs).toBe(2_000);
    await vi.advanceTimersByTimeAsync(1_100);
    for (const each of sent.splice(0)) each.answer();
    expect(await ended).toEqual(['TimeoutError: unknown', 'done', 'done']);
  });

  it('time out while they wait for an earlier call on the same key', async () => {
    const earlier = put('k', { timeoutMs: 60_000 });
    await turn();
    const ended = outcomes([put('k', { timeoutMs: 300 }), get('k', { timeoutMs: 700 })]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await ended).toEqual(['TimeoutError: not-applied', 'TimeoutError: not-applied']);
    expect(underWay()).toEqual(['k']);
    await finish(earlier);
  });
});
