import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytes,
  checkDecoder,
  enumOf,
  flag,
  header,
  int64,
  keyValue,
  maybe,
  NO_HEADER,
  type Pair,
  plain,
  toPlain,
} from '../test/codec-support.js';
import { CoordError } from './errors.js';
import { decodeWatchResponse, encodeWatchRequest } from './watch-codec.js';
import type { WatchCreateRequest } from './watch-messages.js';

const createRequest: fc.Arbitrary<WatchCreateRequest> = fc.record({
  key: bytes,
  range_end: maybe(bytes),
  start_revision: maybe(int64),
  progress_notify: flag,
  filters: maybe(fc.array(enumOf(0, 1), { minLength: 1, maxLength: 2 })),
  prev_kv: flag,
  fragment: flag,
});

describe('watch requests that we encode mean the same to etcd', () => {
  it('create', () => {
    fc.assert(
      fc.property(createRequest, (create_request) => {
        expect(toPlain('WatchRequest', encodeWatchRequest({ create_request }))).toEqual({
          create_request: plain(create_request),
        });
      }),
    );
  });

  it('cancel, also of the first watch', () => {
    for (const watch_id of [0, 1, 2 ** 40]) {
      expect(toPlain('WatchRequest', encodeWatchRequest({ cancel_request: { watch_id } }))).toEqual({
        cancel_request: plain({ watch_id: BigInt(watch_id) }),
      });
    }
  });
});

const event: fc.Arbitrary<Pair> = fc
  .record({ type: enumOf(0, 1), kv: keyValue, prev_kv: maybe(keyValue) })
  .map(({ type, kv, prev_kv }) => ({
    theirs: { type, kv: kv.theirs, prev_kv: prev_kv?.theirs },
    ours: { type, kv: kv.ours, prev_kv: prev_kv?.ours },
  }));
const watchResponse: fc.Arbitrary<Pair> = fc
  .record({
    header: maybe(header),
    watch_id: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
    created: fc.boolean(),
    canceled: fc.boolean(),
    compact_revision: int64,
    cancel_reason: fc.string({ unit: 'grapheme' }),
    fragment: fc.boolean(),
    events: fc.array(event, { maxLength: 4 }),
  })
  .map(({ header, compact_revision, events, ...rest }) => ({
    theirs: {
      ...rest,
      header: header?.theirs,
      compact_revision: String(compact_revision),
      events: events.map(({ theirs }) => theirs),
    },
    ours: {
      ...rest,
      header: header?.ours ?? NO_HEADER,
      compact_revision,
      events: events.map(({ ours }) => ours),
    },
  }));

describe('WatchResponse', () => {
  checkDecoder('WatchResponse', watchResponse, decodeWatchResponse);

  it('is refused when an event has no key', () => {
    expect(() => decodeWatchResponse(Buffer.of(90, 0))).toThrow(CoordError);
  });
});
