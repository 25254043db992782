import type { CoordClient, KV, TxnRequest } from '@coord/client';
import { instanceOf } from './service-states.js';

/** A client that tells of a moment before it writes an instance, or while the answer is on its way. */
export function hookedClient(
  client: CoordClient,
  at: (point: string) => Promise<void>,
  random: () => number,
): CoordClient {
  const { kv } = client;
  const hooked: KV = {
    get: (...args) => kv.get(...args),
    range: (...args) => kv.range(...args),
    list: (...args) => kv.list(...args),
    put: (...args) => kv.put(...args),
    delete: (...args) => kv.delete(...args),
    txn: async (request, options) => {
      const what = whatIsWritten(request);
      if (what === undefined) return kv.txn(request, options);
      if (random() < 0.5) {
        const [result] = await Promise.all([kv.txn(request, options), at(`amid a ${what}`)]);
        return result;
      }
      await at(`before a ${what}`);
      return kv.txn(request, options);
    },
  };
  return new Proxy(client, {
    get: (target, name) => {
      if (name === 'kv') return hooked;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function whatIsWritten({ success = [], compare = [] }: TxnRequest): string | undefined {
  const [op] = success;
  if (op === undefined) return undefined;
  if ('delete' in op) return 'delete';
  if (!('put' in op) || typeof op.put.value !== 'string' || op.put.session === undefined) {
    return 'put' in op && op.put.ignoreLease ? 'goodbye' : undefined;
  }
  const creates = compare.some((each) => each.target === 'mod' && each.to === 0n);
  return creates && instanceOf(op.put.value).registration !== '' ? 'registration' : 'change';
}
