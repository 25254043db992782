import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { expect, it } from 'vitest';
import { CoordError } from '../src/errors.js';

/** etcd's messages as etcd3 has them: its proto file is the contract that our codec keeps. */
const PROTO = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => resolve(dirname(PROTO), target);
root.loadSync(PROTO, { keepCase: true });
const type = (name: string): protobuf.Type => root.lookupType(`etcdserverpb.${name}`);

/** What a message says, absent fields left out: 64-bit numbers as strings, enums as numbers. */
export function toPlain(name: string, bytes: Buffer): object {
  return type(name).toObject(type(name).decode(bytes), { longs: String, bytes: Buffer });
}

function encoded(name: string, plain: object): Buffer {
  return Buffer.from(type(name).encode(type(name).fromObject(plain)).finish());
}

/** The same for a message of ours: what is empty, zero or false is absent, except where a `oneof` is meant. */
export function plain(message: object, always: readonly string[] = []): object {
  const fields = Object.entries(message).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (!always.includes(name) && (!value || (Buffer.isBuffer(value) && value.length === 0))) return [];
    return [[name, typeof value === 'bigint' || name === 'limit' ? String(value) : value]];
  });
  return Object.fromEntries(fields);
}

export const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each));
export const int64 = fc.oneof(
  fc.bigInt(0n, 300n),
  fc.bigInt(0n, 2n ** 63n - 1n),
  fc.constantFrom(0n, 2n ** 53n),
);
export const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
export const enumOf = <const N extends number>(...values: N[]): fc.Arbitrary<N> => fc.constantFrom(...values);
export const flag = maybe(fc.boolean());

/** Messages as etcd3's codec takes them, and as ours gives them. */
export interface Pair {
  readonly theirs: object;
  readonly ours: object;
}

const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
export const NO_HEADER = { cluster_id: 0n, revision: 0n };
export const header: fc.Arbitrary<Pair> = fc
  .record({ cluster_id: uint64, member_id: uint64, revision: int64, raft_term: uint64 })
  .map(({ cluster_id, revision, ...rest }) => ({
    theirs: strings({ cluster_id, revision, ...rest }),
    ours: { cluster_id, revision },
  }));
export const keyValue: fc.Arbitrary<Pair> = fc
  .record({
    key: bytes,
    value: bytes,
    version: int64,
    create_revision: int64,
    mod_revision: int64,
    lease: int64,
  })
  .map((ours) => ({ theirs: strings(ours), ours }));

function strings(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  );
}

/** What holds for every decoder of ours. To be called in a `describe`. */
export function checkDecoder(
  name: string,
  arbitrary: fc.Arbitrary<Pair>,
  decode: (message: Buffer) => object,
): void {
  it('is read as etcd meant it', () => {
    fc.assert(
      fc.property(arbitrary, ({ theirs, ours }) => {
        expect(decode(encoded(name, theirs))).toEqual(ours);
      }),
    );
  });

  it('may have fields that we do not know', () => {
    const varint = [0xf8, 0x07, 0x96, 0x01];
    const fixed64 = [0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8];
    const text = [0xfa, 0x07, 3, 1, 2, 3];
    const group = [0xfb, 0x07, 0x08, 1, 0xfc, 0x07];
    const fixed32 = [0xfd, 0x07, 1, 2, 3, 4];
    const unknown = Buffer.from([...varint, ...fixed64, ...text, ...group, ...fixed32]);
    fc.assert(
      fc.property(arbitrary, ({ theirs, ours }) => {
        expect(decode(Buffer.concat([unknown, encoded(name, theirs), unknown]))).toEqual(ours);
      }),
    );
  });

  it('is refused with a typed error when it is cut off or damaged', () => {
    let refused = 0;
    const attempt = (message: Buffer): void => {
      try {
        decode(message);
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(CoordError);
        expect(error).toMatchObject({ code: 'COORD_PROTOCOL', outcome: 'unknown' });
      }
    };
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(arbitrary, fc.nat(400), damage, ({ theirs }, length, changes) => {
        const message = encoded(name, theirs);
        attempt(message.subarray(0, length));
        for (const [at, byte] of changes) if (at < message.length) message[at] = byte;
        attempt(message);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => attempt(Buffer.from(noise))));
    expect(refused).toBeGreaterThan(0);
  });
}
