import { Coalescer } from '../../src/coalescing/coalescer.js';
import { CompactedError, ConnectionError, CoordError } from '../../src/errors.js';
import { KvClient } from '../../src/kv-client.js';
import type { RangeRequest, RangeResponse, TxnRequestMessage } from '../../src/kv-messages.js';
import { Slots } from '../../src/slots.js';
import { TxnCodec } from '../../src/txn-codec.js';
import { WatchHub } from '../../src/watch-hub.js';
import { WatchMux } from '../../src/watch-mux.js';
import { HistoryModel, type Prefix } from './history-model.js';
import { type Asked, quiet, ScriptedTransport } from './scripted-transport.js';
import type { SimulatedTime } from './simulated-time.js';
import { WatchServer } from './watch-server.js';
import { WatchedRange } from './watched-range.js';

export interface WatchPlan {
  readonly prefix: Prefix;
  /** How many revisions back it starts; from now on; or with a list. */
  readonly start: number | 'now' | 'list';
  readonly onCompacted: 'snapshot' | 'fail';
}

/**
 * Watches of one client over lines and members that do what the schedule says: streams open and break, requests
 * are worked off, events sent and delivered, each when it is its turn; the history grows, and is compacted.
 */
export class WatchWorld {
  readonly wrong: string[] = [];
  readonly #time: SimulatedTime;
  readonly #history = new HistoryModel();
  readonly #transport = new ScriptedTransport();
  readonly #coalescer: Coalescer;
  readonly #mux: WatchMux;
  readonly #context;
  readonly #answers = new Map<Asked, (() => void) | undefined>();
  #servers: WatchServer[] = [];
  readonly #watched: WatchedRange[] = [];

  constructor(time: SimulatedTime) {
    this.#time = time;
    const rules = () => ({ nestedTxnSafe: true, putInTxnSafe: true });
    const send = this.#transport.unary.bind(this.#transport);
    this.#coalescer = new Coalescer({ send, requestTimeoutMs: 600_000, rules });
    const codec = new TxnCodec('');
    this.#mux = new WatchMux(this.#transport, quiet, { quietMs: 4_000, answerMs: 2_000 });
    const hub = new WatchHub(this.#mux, codec, quiet);
    const kv = new KvClient(this.#coalescer, codec, () => undefined);
    this.#context = { hub, kv, codec, logger: quiet, lists: new Slots(1), usesToken: false };
  }

  /** How many batches have been told, and how many snapshots. */
  get told(): { readonly batches: number; readonly snapshots: number } {
    const sum = (of: (each: WatchedRange) => number) =>
      this.#watched.reduce((all, each) => all + of(each), 0);
    return { batches: sum(({ batches }) => batches), snapshots: sum(({ snapshots }) => snapshots) };
  }

  watch({ prefix, start, onCompacted }: WatchPlan): void {
    if (this.#watched.length === 4) return;
    const back = typeof start === 'number' ? this.#history.revision + 1n - BigInt(start) : 0n;
    const from = start === 'list' ? start : start === 'now' ? 0n : back > 1n ? back : 1n;
    this.#watched.push(new WatchedRange(prefix, from, onCompacted, this.#history, this.#context, this.wrong));
  }

  write(puts: readonly string[], deletes: readonly string[]): void {
    this.#history.write(puts, deletes);
  }

  compact(back: number): void {
    this.#history.compact(this.#history.revision - BigInt(back));
  }

  openStream(lag: number, how: 'opens' | 'fails'): void {
    const [opening] = this.#transport.openings;
    if (how === 'fails') opening?.fail();
    else if (opening !== undefined) this.#servers.push(new WatchServer(opening.open(), this.#history, lag));
  }

  breakStream(which: number): void {
    const server = pick(this.#servers, which);
    if (server === undefined) return;
    this.#servers = this.#servers.filter((each) => each !== server);
    if (which % 2 === 0) server.stream.emit('error', new Error('reset'));
    else server.stream.emit('end');
  }

  work(which: number): void {
    pick(
      this.#servers.filter(({ hasRequests }) => hasRequests),
      which,
    )?.work();
  }

  send(which: number, revisions: number, cut: number): void {
    pick(
      this.#servers.filter(({ watches }) => watches > 0),
      which,
    )?.send(which, revisions, cut);
  }

  cancel(which: number): void {
    pick(
      this.#servers.filter(({ watches }) => watches > 0),
      which,
    )?.cancel(which);
  }

  catchUp(which: number): void {
    pick(this.#servers, which)?.catchUp();
  }

  deliver(which: number): void {
    pick(
      this.#servers.filter(({ hasResponses }) => hasResponses),
      which,
    )?.deliver();
  }

  /** A read is carried out: what it is answered is settled then. */
  read(which: number): void {
    const asked = pick(
      this.#transport.asked.filter((each) => !this.#answers.has(each)),
      which,
    );
    if (asked !== undefined) this.#answers.set(asked, this.#read(asked));
  }

  answer(which: number, how: 'ok' | 'lost'): void {
    const asked = pick(this.#transport.asked, which);
    if (asked === undefined) return;
    // The look before a watch is created waits for real time after a failure.
    const ofGate = 'serializable' in asked.request && asked.request.serializable === true;
    if (how === 'lost' && !ofGate) asked.fail(new ConnectionError('lost'));
    else this.#answers.get(asked)?.();
  }

  pause(which: number): void {
    pick(this.#watched, which)?.pause();
  }

  resume(which: number): void {
    pick(this.#watched, which)?.resume();
  }

  close(which: number): void {
    pick(this.#watched, which)?.close();
  }

  /** From here on all is well: whoever has not ended is told of all that has happened. */
  async finish(): Promise<void> {
    for (const each of this.#watched) each.resume();
    for (let round = 0; round < 200 && this.#watched.some((each) => !each.isComplete); round++) {
      await this.#flow();
    }
    for (const each of this.#watched) {
      if (!each.isComplete) this.wrong.push(`${each} has not been told of all`);
      each.close();
    }
    this.#mux.close();
    this.#coalescer.close();
    this.#transport.close();
  }

  async #flow(): Promise<void> {
    while (this.#transport.openings.length > 0) this.openStream(0, 'opens');
    await this.#time.settle();
    for (const server of this.#servers) {
      server.catchUp();
      while (server.hasRequests) server.work();
      for (let i = server.watches - 1; i >= 0; i--) for (let n = 0; n < 3; n++) server.send(i, 100, n);
      while (server.hasResponses) server.deliver();
    }
    while (this.#transport.asked.length > 0) {
      this.read(0);
      this.answer(0, 'ok');
      await this.#time.settle();
    }
    await this.#time.stall(250);
  }

  /** @returns what answers it */
  #read(asked: Asked): () => void {
    try {
      const response = this.#answerTo(asked);
      return () => asked.answer(response);
    } catch (error) {
      return () => asked.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #answerTo({ method, request }: Asked): object {
    if (method === 'range') return this.#range(request as RangeRequest);
    const { success } = request as TxnRequestMessage;
    const responses = success.map(({ request_range }) => {
      if (request_range === undefined) throw new Error('a watch only reads');
      return { response_range: this.#range(request_range) };
    });
    return { header: { cluster_id: 1n, revision: this.#history.revision }, succeeded: true, responses };
  }

  #range({ key, range_end, revision = 0n, limit = 0 }: RangeRequest): RangeResponse {
    const { revision: newest, compacted } = this.#history;
    if (revision > 0n && revision < compacted) {
      throw new CompactedError('the required revision has been compacted', { compactRevision: compacted });
    }
    if (revision > newest) throw new CoordError('COORD_SERVER', 'required revision is a future revision');
    const [from, to] = [key.toString(), range_end?.toString()];
    const kvs = this.#history.stateAt('', revision || newest).filter((kv) => {
      const name = kv.key.toString();
      return to === undefined ? name === from : name >= from && name < to;
    });
    const page = limit > 0 ? kvs.slice(0, limit) : kvs;
    const header = { cluster_id: 1n, revision: newest };
    return { header, kvs: page, more: page.length < kvs.length, count: kvs.length };
  }
}

function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}
