/** What the processes of the failover benchmark have in common. */

const same = (bytes: Buffer) => bytes;

export const WHO = {
  path: '/bench.Who/Who',
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

export type ServerOrder =
  | { readonly type: 'register'; readonly port: number }
  | { readonly type: 'deregister' }
  | { readonly type: 'drain' };

export type ServerReport =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'registered' };
