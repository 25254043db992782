import { deleteCall, type KvCall, putCall, rangeCall, txnCall } from '../../src/coalescing/kv-call.js';
import { CoordError } from '../../src/errors.js';
import {
  CompareResult,
  CompareTarget,
  type RangeRequest,
  type RequestOp,
  type ResponseHeader,
  type TxnRequestMessage,
} from '../../src/kv-messages.js';
import type { CallKind } from '../../src/transport.js';

/** What a call does, and how. */
export interface CallPlan {
  readonly type: 'get' | 'list' | 'put' | 'delete' | 'create' | 'release' | 'pair';
  readonly key: string;
  readonly idempotent: boolean;
  readonly coalesce: boolean;
  readonly timeoutMs: number;
}

const SAFE = { nestedTxnSafe: true, putInTxnSafe: true };
const bytes = (text: string) => Buffer.from(text);

/** One call of a schedule, and what has become of it. */
export class PlannedCall {
  readonly plan: CallPlan;
  readonly sequence: number;
  readonly expiresAt: number;
  readonly controller = new AbortController();
  readonly call: KvCall<object>;
  /** The operations by which it is recognized in a request. */
  readonly ops: readonly RequestOp[];
  /** It has been given to the transport. */
  handed = false;
  aborted = false;
  /** What it was to be answered, each time that etcd has carried it out. */
  readonly executions: string[] = [];
  /** What the transport has said went wrong with it. */
  readonly errors = new Set<string>();
  readonly #keys: readonly string[];
  told: { readonly answer?: string; readonly error?: CoordError } | undefined;

  /** @param createRevision of its key, as it was seen last */
  constructor(plan: CallPlan, sequence: number, now: number, createRevision: bigint) {
    this.plan = plan;
    this.sequence = sequence;
    this.expiresAt = now + plan.timeoutMs;
    [this.call, this.ops] = this.#make(createRevision);
    this.#keys = keysOf(plan);
  }

  get kind(): CallKind {
    return this.call.kind;
  }

  /** It may be carried out more than once. */
  get mayRepeat(): boolean {
    return this.kind !== 'write' || this.plan.type === 'release';
  }

  /** Whether one of the two changes what the other sees. */
  isInConflictWith(other: PlannedCall): boolean {
    if (this.kind === 'read' && other.kind === 'read') return false;
    return this.#keys.some((key) => other.#keys.some((each) => key.startsWith(each) || each.startsWith(key)));
  }

  async follow(answer: Promise<object>): Promise<void> {
    try {
      this.told = { answer: render(await answer) };
    } catch (error) {
      this.told = { error: CoordError.is(error) ? error : new CoordError('NOT_OURS', String(error)) };
    }
  }

  toString(): string {
    return `${this.sequence} ${this.plan.type} ${this.plan.key}`;
  }

  #make(createRevision: bigint): readonly [KvCall<object>, readonly RequestOp[]] {
    const { type, idempotent } = this.plan;
    const kind = idempotent ? 'idempotent' : 'write';
    const key = bytes(this.plan.key);
    const put = { key, value: bytes(`${this.sequence}`), prev_kv: true };
    switch (type) {
      case 'get':
        return read({ key });
      case 'list': {
        const start = this.plan.key.slice(0, 1);
        return read({ key: bytes(start), range_end: bytes(`${start}~`) });
      }
      case 'put':
        return [putCall(put, kind, () => SAFE), [{ request_put: put }]];
      case 'delete': {
        const deletion = { key, prev_kv: true };
        return [deleteCall(deletion, kind), [{ request_delete_range: deletion }]];
      }
      case 'pair': {
        const ops = [{ request_put: put }, { request_put: { ...put, key: bytes(`${this.plan.key}+`) } }];
        return [txnCall({ compare: [], success: ops, failure: [] }, kind), ops];
      }
      default: {
        const guard = { key, target: CompareTarget.Create, result: CompareResult.Equal } as const;
        const create: TxnRequestMessage = {
          compare: [{ ...guard, create_revision: 0n }],
          success: [{ request_put: put }],
          failure: [{ request_range: { key } }],
        };
        const release: TxnRequestMessage = {
          compare: [{ ...guard, create_revision: createRevision || 1n }],
          success: [{ request_delete_range: { key } }],
          failure: [],
        };
        const txn = type === 'create' ? create : release;
        return [txnCall(txn, kind), [{ request_txn: txn }]];
      }
    }
  }
}

/** None is the beginning of another, except that of a list. */
function keysOf({ type, key }: CallPlan): readonly string[] {
  if (type === 'pair') return [`${key}!`, `${key}+!`];
  return [type === 'list' ? key.slice(0, 1) : `${key}!`];
}

function read(range: RangeRequest): readonly [KvCall<object>, readonly RequestOp[]] {
  return [rangeCall(range), [{ request_range: range }]];
}

/** What an answer says, for comparison. */
export function render(answer: object): string {
  const { header } = answer as { readonly header: ResponseHeader };
  return `${header.revision}: ${JSON.stringify(answer, plainly)}`;
}

function plainly(name: string, value: unknown): unknown {
  if (name === 'header') return undefined;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
