/** What the processes of the demo tell each other. Moments are those of `now()`, so they compare across processes. */

export const SERVICE = 'greeter';
/** How long a server stays in the list when its process has died: short, since somebody is watching. */
export const SERVER_TTL_MS = 3_000;
export const LOCK = 'nightly-report';
/** What the lock protects. */
export const COUNTER_KEY = '/reports/count';

/** What every child process is started with. */
export interface Assignment {
  readonly name: string;
  readonly endpoints: readonly string[];
  readonly namespace: string;
}

export type ServerOrder = { readonly type: 'leave'; readonly keepServingMs: number };

export type ServerReport =
  | { readonly type: 'registered'; readonly port: number; readonly tookMs: number }
  | { readonly type: 'deregistered'; readonly at: number; readonly tookMs: number };

export type ContenderOrder =
  | { readonly type: 'contend'; readonly times: number; readonly holdMs: number }
  | { readonly type: 'hold'; readonly ttlMs: number }
  | { readonly type: 'leave' };

/** One turn with the lock. */
export interface Hold {
  readonly name: string;
  readonly etcdKey: string;
  readonly token: bigint;
  readonly from: number;
  readonly to: number;
}

export type ContenderReport =
  | { readonly type: 'ready' }
  | { readonly type: 'held'; readonly hold: Hold }
  | { readonly type: 'holding'; readonly etcdKey: string; readonly token: bigint; readonly from: number };
