import type { CoordClient, KV, WatchCache } from '@coord/client';

/** A client that tells which keys were read alone, how many transactions there were, and which copies are open. */
export interface WatchedClient {
  readonly client: CoordClient;
  /** The keys that have been read by `get`, in order. */
  readonly reads: string[];
  /** `read`: a transaction that only reads. */
  readonly txns: ('read' | 'write')[];
  /** How many copies have been opened, and how many of them are open. */
  copies(): { opened: number; open: number };
  /** From now on reads of one key wait. */
  hold(): void;
  /** How many wait. */
  readonly waiting: number;
  letGo(): void;
}

export function watchedClient(client: CoordClient): WatchedClient {
  const reads: string[] = [];
  const txns: ('read' | 'write')[] = [];
  const opened: WatchCache<unknown>[] = [];
  const closed = new Set<WatchCache<unknown>>();
  let holding = false;
  let waiting: (() => void)[] = [];
  const { kv } = client;
  const get = async (...call: Parameters<KV['get']>) => {
    reads.push(String(call[0]));
    if (holding) await new Promise<void>((resolve) => waiting.push(resolve));
    return kv.get(...call);
  };
  const watchedKv: KV = Object.assign(Object.create(kv), {
    get,
    range: (...call: Parameters<KV['range']>) => kv.range(...call),
    list: (...call: Parameters<KV['list']>) => kv.list(...call),
    txn: (...call: Parameters<KV['txn']>) => {
      txns.push(call[0].success?.every((op) => 'get' in op) ? 'read' : 'write');
      return kv.txn(...call);
    },
  });
  const counted = <T>(copy: WatchCache<T>): WatchCache<T> => {
    opened.push(copy);
    const close = async () => {
      closed.add(copy);
      await copy.close();
    };
    return new Proxy(copy, {
      get: (target, property) => {
        if (property === 'close') return close;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  const cache: CoordClient['cache'] = (range, options) => counted(client.cache(range, options));
  return {
    client: new Proxy(client, {
      get: (target, property) => {
        if (property === 'kv') return watchedKv;
        if (property === 'cache') return cache;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }),
    reads,
    txns,
    copies: () => ({ opened: opened.length, open: opened.length - closed.size }),
    hold: () => {
      holding = true;
    },
    get waiting() {
      return waiting.length;
    },
    letGo: () => {
      holding = false;
      for (const resolve of waiting) resolve();
      waiting = [];
    },
  };
}
