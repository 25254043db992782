import type { CoordClient, KV, ListOptions, Range, RangeResult, TxnRequest } from '@coord/client';
import { CANARIES, RELEASES } from './config-names.js';

/** What the client reads a range with that it copies; no part of its public face. */
interface Paging {
  pages(range: Range, options?: ListOptions): AsyncIterable<RangeResult>;
}

/**
 * Tells the run of moments between the steps of what the library does by itself: between what a release or a
 * canary has read and what it writes, and between the list and the watch of a copy.
 */
export function tellOfSteps(client: CoordClient, at: (point: string) => Promise<void>): void {
  const { kv } = client;
  if (!isPaging(kv)) throw new Error('the client no longer lists with `pages`: nothing would be struck');
  const txn: KV['txn'] = kv.txn.bind(kv);
  const pages: Paging['pages'] = kv.pages.bind(kv);
  const watchedTxn: KV['txn'] = async (request, options) => {
    const point = pointOf(request);
    if (point !== undefined) await at(point);
    return txn(request, options);
  };
  async function* watchedPages(range: Range, options?: ListOptions): AsyncGenerator<RangeResult> {
    yield* pages(range, options);
    await at('between list and watch');
  }
  Object.defineProperties(kv, { txn: { value: watchedTxn }, pages: { value: watchedPages } });
}

function isPaging(kv: object): kv is Paging {
  return 'pages' in kv && typeof kv.pages === 'function';
}

function pointOf({ success }: TxnRequest): string | undefined {
  const keys = (success ?? []).map((op) => {
    const key = 'put' in op ? op.put.key : 'delete' in op ? op.delete : undefined;
    return typeof key === 'string' ? key : '';
  });
  if (keys.some((key) => key.startsWith(RELEASES))) return 'during publish';
  return keys.some((key) => key.startsWith(CANARIES)) ? 'during a canary' : undefined;
}
