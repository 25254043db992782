import { getEventListeners } from 'node:events';
import { Coalescer } from '../../src/coalescing/coalescer.js';
import type { KvMethod, SendUnary } from '../../src/coalescing/kv-call.js';
import {
  AbortedError,
  ClosedError,
  ConnectionError,
  type CoordError,
  NotFoundError,
  ResourceExhaustedError,
  TimeoutError,
  ValidationError,
} from '../../src/errors.js';
import type { CallOptions } from '../../src/kv.js';
import type { RequestOp, TxnRequestMessage, TxnResponse } from '../../src/kv-messages.js';
import type { UnaryRpcs } from '../../src/rpc.js';
import type { CallKind } from '../../src/transport.js';
import { EtcdModel } from './etcd-model.js';
import { type CallPlan, PlannedCall, render } from './planned-call.js';
import type { SimulatedTime } from './simulated-time.js';

type Answer = UnaryRpcs[KvMethod]['response'];

/** One attempt on its way to etcd, or there: it may arrive long after everybody has given it up, or never. */
interface Message {
  readonly request: Request;
  readonly txn: TxnRequestMessage;
  readonly calls: readonly PlannedCall[];
  answer: TxnResponse | undefined;
}

/** What the coalescer has given to the transport. */
interface Request {
  readonly method: KvMethod;
  readonly kind: CallKind;
  readonly make: () => TxnRequestMessage;
  readonly messages: Message[];
  calls: readonly PlannedCall[];
  settled: boolean;
  resolve(answer: Answer): void;
  reject(error: CoordError): void;
}

export type Refusal = 'lease' | 'ops' | 'size' | 'space' | 'leader';

/** A batch that is given up a little later than one of its calls speaks for it, too. */
const SAME_TIME_MS = 60;

/**
 * The coalescer over a line and an etcd that do what the schedule says: requests are sent, carried out and
 * answered, or not, each when it is its turn.
 */
export class CoalescerWorld {
  readonly #time: SimulatedTime;
  readonly #etcd = new EtcdModel();
  readonly #coalescer: Coalescer;
  readonly #calls: PlannedCall[] = [];
  readonly #byOp = new Map<object, PlannedCall>();
  #requests: Request[] = [];
  #underWay: Message[] = [];
  #closed = false;
  /** What must not be. */
  readonly wrong: string[] = [];
  batches = 0;

  constructor(time: SimulatedTime) {
    this.#time = time;
    const rules = () => ({ nestedTxnSafe: true, putInTxnSafe: true });
    this.#coalescer = new Coalescer({ send: this.#send, requestTimeoutMs: 5_000, rules });
  }

  call(plan: CallPlan): void {
    const created = this.#etcd.createRevision(plan.key);
    const planned = new PlannedCall(plan, this.#calls.length, this.#time.now, created);
    this.#calls.push(planned);
    for (const op of planned.ops) this.#byOp.set(contentOf(op), planned);
    const { timeoutMs, coalesce } = plan;
    const { signal } = planned.controller;
    void planned.follow(this.#coalescer.call(planned.call, { timeoutMs, coalesce, signal }));
  }

  abort(which: number): void {
    const call = pick(
      this.#calls.filter(({ told }) => told === undefined),
      which,
    );
    if (call === undefined) return;
    call.aborted = true;
    call.controller.abort(new Error('not any more'));
  }

  /** A request, or another attempt at it, is sent. */
  depart(which: number): void {
    const request = pick(
      this.#requests.filter(({ kind, messages }) => kind !== 'write' || messages.length === 0),
      which,
    );
    if (request !== undefined) this.#depart(request);
  }

  /** etcd carries out what has been sent. */
  arrive(which: number): void {
    const message = pick(this.#underWay, which);
    if (message === undefined) return;
    this.#underWay = this.#underWay.filter((each) => each !== message);
    this.#execute(message);
  }

  /** The answer comes. */
  answer(which: number): void {
    const request = pick(
      this.#requests.filter(({ messages }) => messages.at(-1)?.answer !== undefined),
      which,
    );
    if (request !== undefined) this.#answer(request);
  }

  /** The line breaks: no answer will come. */
  lose(which: number): void {
    const request = pick(this.#requests, which);
    if (request !== undefined)
      this.#fail(request, (outcome) => new ConnectionError('the line broke', { outcome }));
  }

  /** etcd does not want what has been sent. */
  refuse(which: number, how: Refusal): void {
    const message = pick(
      this.#underWay.filter((each) => !each.request.settled && each.request.messages.at(-1) === each),
      which,
    );
    if (message === undefined) return;
    const { request } = message;
    // For want of space it may have been carried out all the same, or still be.
    if (how !== 'space') this.#underWay = this.#underWay.filter((each) => each !== message);
    const earlier = request.messages.length > 1 || how === 'space';
    const outcome = request.kind !== 'read' && earlier ? 'unknown' : 'not-applied';
    this.#settle(request, refusal(how, outcome));
  }

  close(): void {
    this.#closed = true;
    this.#coalescer.close();
    for (const request of [...this.#requests]) {
      this.#fail(request, (outcome) => new ClosedError('the client is closed', { outcome }));
    }
  }

  /** What holds at any time. */
  look(): void {
    const { now } = this.#time;
    for (const call of this.#calls) {
      if (call.told === undefined && now > call.expiresAt + SAME_TIME_MS) this.#note(`${call} has no end`);
    }
  }

  /** The line is good from here on; what was given up arrives last of all, or never. */
  async finish(late: readonly boolean[]): Promise<void> {
    await this.#time.settle();
    while (this.#calls.some(({ told }) => told === undefined)) {
      for (const request of [...this.#requests]) {
        if (request.messages.length === 0) this.#depart(request);
        const message = request.messages.at(-1);
        if (message !== undefined && message.answer === undefined && this.#underWay.includes(message)) {
          this.arrive(this.#underWay.indexOf(message));
        }
        if (message?.answer === undefined) this.lose(this.#requests.indexOf(request));
        else this.#answer(request);
      }
      await this.#time.settle();
      await this.#time.pass(50);
      this.look();
      if (this.wrong.length > 0) return;
    }
    for (const [i, message] of this.#underWay.splice(0).entries()) {
      if (late[i % late.length] ?? true) this.#execute(message);
    }
    for (const call of this.#calls) this.#judge(call);
    this.#coalescer.close();
  }

  readonly #send: SendUnary = <M extends KvMethod>(
    method: M,
    make: () => UnaryRpcs[M]['request'],
    kind: CallKind,
    { timeoutMs = 0, signal }: CallOptions,
  ) =>
    new Promise<UnaryRpcs[M]['response']>((resolve, reject) => {
      const end = () => {
        request.settled = true;
        this.#requests = this.#requests.filter((each) => each !== request);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const request: Request = {
        method,
        kind,
        make: () => txnOf(method, make()),
        messages: [],
        calls: [],
        settled: false,
        resolve: (answer) => {
          end();
          resolve(answer as UnaryRpcs[M]['response']);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const onAbort = () =>
        this.#fail(request, (outcome) => new AbortedError('aborted', { outcome, cause: signal?.reason }));
      const timer = setTimeout(
        () => this.#fail(request, (outcome) => new TimeoutError('no answer', { timeoutMs, outcome })),
        timeoutMs,
      );
      signal?.addEventListener('abort', onAbort);
      this.#requests.push(request);
      request.calls = this.#callsOf(request.make());
      this.#checkTimes(request.calls);
      for (const call of request.calls) call.handed = true;
    });

  /** A call whose time is short shares no request with one that has a lot of it. */
  #checkTimes(calls: readonly PlannedCall[]): void {
    if (calls.some(({ handed }) => handed)) return; // what was refused is sent again in halves
    const left = calls.map(({ expiresAt }) => expiresAt - this.#time.now);
    if (Math.max(...left) > Math.max(2 * Math.min(...left), 500)) this.#note(`together: ${calls.join(', ')}`);
  }

  #depart(request: Request): void {
    const txn = request.make();
    const calls = this.#callsOf(txn);
    request.calls = calls;
    if (calls.length > 1) this.batches++;
    const message: Message = { request, txn, calls, answer: undefined };
    request.messages.push(message);
    this.#underWay.push(message);
    for (const call of calls) {
      if (call.told !== undefined) this.#note(`${call} was sent after its caller had been told`);
      const other = calls.find((each) => each !== call && each.isInConflictWith(call));
      if (other !== undefined) this.#note(`${call} was sent together with ${other}`);
    }
    if (txn.success.length > 128) this.#note(`${txn.success.length} operations in a request`);
  }

  #execute(message: Message): void {
    const pending = this.#calls.filter(
      ({ told, executions }) => told === undefined && executions.length === 0,
    );
    for (const call of message.calls) {
      const earlier = pending.find((each) => each.sequence < call.sequence && each.isInConflictWith(call));
      if (earlier !== undefined) this.#note(`${call} has overtaken ${earlier}`);
    }
    const answer = this.#etcd.txn(message.txn);
    message.answer = answer;
    const { header } = answer;
    const answers = [...answer.responses];
    for (const call of message.calls) {
      const own =
        message.txn === contentOf(call.ops[0] ?? {})
          ? [{ response_txn: answer }]
          : answers.splice(0, call.ops.length);
      const [first] = own.map((each) => Object.values(each)[0]);
      const whole = call.plan.type === 'pair' ? { succeeded: true, responses: own } : first;
      call.executions.push(render({ ...whole, header }));
    }
  }

  #answer(request: Request): void {
    const answer = request.messages.at(-1)?.answer;
    if (answer === undefined) return;
    const [first] = answer.responses;
    const alone = request.method === 'txn' ? answer : Object.values(first ?? {})[0];
    request.resolve({ ...alone, header: answer.header });
  }

  /** It is given up: what has been sent may still be carried out. */
  #fail(request: Request, toError: (outcome: 'unknown' | 'not-applied') => CoordError): void {
    const sent = request.messages.length > 0 && request.kind !== 'read';
    this.#settle(request, toError(sent ? 'unknown' : 'not-applied'));
  }

  #settle(request: Request, error: CoordError): void {
    const own = error instanceof AbortedError || error instanceof TimeoutError; // of the call, by its own signal and time
    for (const call of request.calls) if (!own) call.errors.add(error.name);
    request.reject(error);
  }

  #callsOf(txn: TxnRequestMessage): readonly PlannedCall[] {
    const whole = this.#byOp.get(txn);
    if (whole !== undefined) return [whole];
    return [...new Set(txn.success.map((op) => this.#byOp.get(contentOf(op))))].filter(
      (call) => call !== undefined,
    );
  }

  #judge(call: PlannedCall): void {
    const { told, executions, kind, plan } = call;
    if (getEventListeners(call.controller.signal, 'abort').length > 0) this.#note(`${call} still listens`);
    if (executions.length > 1 && !call.mayRepeat) this.#note(`${call} was carried out twice`);
    if (told?.answer !== undefined && !executions.includes(told.answer)) {
      this.#note(`${call} was told ${told.answer}, which is none of ${executions.join(' | ')}`);
    }
    const { error } = told ?? {};
    if (error === undefined) return;
    if (kind !== 'read' && error.outcome === 'not-applied' && executions.length > 0) {
      this.#note(`${call} has happened, in spite of ${error.name}`);
    }
    if (error.outcome === 'unknown' && !call.handed) this.#note(`${call} was never sent, and is unknown`);
    if (kind === 'read' && error.outcome === 'unknown') this.#note(`${call} reads, and is unknown`);
    const isTrue =
      (error instanceof AbortedError && call.aborted) ||
      (error instanceof TimeoutError && error.timeoutMs === plan.timeoutMs) ||
      (error instanceof ClosedError && this.#closed) ||
      call.errors.has(error.name);
    if (!isTrue) this.#note(`${call} failed with ${error.name}: ${error.message}`);
  }

  #note(what: string): void {
    this.wrong.push(what);
  }
}

/** What makes an operation recognizable: the object that the caller had made. */
function contentOf(op: RequestOp): object {
  return op.request_put ?? op.request_range ?? op.request_delete_range ?? op.request_txn ?? op;
}

/** The same as a transaction. */
function txnOf(method: KvMethod, request: UnaryRpcs[KvMethod]['request']): TxnRequestMessage {
  if ('success' in request) return request;
  const op = {
    put: 'request_put',
    range: 'request_range',
    deleteRange: 'request_delete_range',
    txn: 'request_txn',
  };
  return { compare: [], success: [{ [op[method]]: request }], failure: [] };
}

function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}

function refusal(how: Refusal, outcome: 'unknown' | 'not-applied'): CoordError {
  switch (how) {
    case 'lease':
      return new NotFoundError('requested lease not found', { key: 'lease', outcome });
    case 'ops':
      return new ValidationError([{ path: 'txn', message: 'too many operations in txn request' }], {
        outcome,
      });
    case 'size':
      return new ResourceExhaustedError('request is too large', { outcome });
    case 'space':
      return new ResourceExhaustedError('database space exceeded', { outcome });
    case 'leader':
      return new ConnectionError('no leader', { outcome });
  }
}
