const MIB = 1024 * 1024;
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const bytes = (text: string) => new TextEncoder().encode(text);

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** What a value may hold: as text and bytes, and as what they might be read as. */
export const CONTENTS: Readonly<Record<string, unknown>> = {
  nothing: '',
  'no bytes': new Uint8Array(),
  'a byte order mark': '\ufeff{"a":1}',
  'bytes with a byte order mark': Uint8Array.of(0xef, 0xbb, 0xbf, 0x31),
  'bad UTF-8': Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d),
  'UTF-8 of a surrogate': Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22),
  'a NUL': '\0',
  'half a surrogate pair': '"\ud800"',
  'half of JSON': '{"a":',
  'a name twice': '{"a":1,"a":2}',
  'a number beyond all numbers': '1e400',
  'a whole number that would be rounded': '9007199254740993',
  'a prototype': '{"__proto__":{"polluted":true}}',
  'a constructor': '{"constructor":{"prototype":{"polluted":true}}}',
  'JSON 65 deep': deep(65),
  'JSON 100,000 deep': deep(100_000),
  'bytes 100,000 deep': bytes(deep(100_000)),
  'null as text': 'null',
  'true as text': 'true',
  'an array as text': '[]',
  'YAML with an alias bomb': 'a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]',
  'YAML with a tag': '!!js/function "x"',
  'a name that is no name': JSON.parse('{"__proto__":1}'),
  'an object 100 deep': nested(100),
  'an object 100,000 deep': nested(100_000),
  'a number in an object': { a: 1 },
  'not a number in an object': { a: Number.NaN },
  'infinity in an object': { a: Number.POSITIVE_INFINITY },
  'a whole number in an object that is rounded': { a: 2 ** 53 + 2 },
  'a bigint in an object': { a: 10n },
  'undefined in an object': { a: undefined },
  'a symbol in an object': { a: Symbol('s') },
  'a function in an object': { a: () => 1 },
};

/** About the sizes at which etcd and the library refuse. Each takes a while. */
export const LARGE_CONTENTS: Readonly<Record<string, unknown>> = {
  'a name of 1 MB': 'k'.repeat(MIB),
  '1.57 MB': 'x'.repeat(Math.floor(1.57e6)),
  '1.6 MB': 'x'.repeat(1.6e6),
  '1.6 MB of bytes': new Uint8Array(1.6e6),
  '12 MB': 'x'.repeat(12e6),
  '10,000 entries': Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`entry ${i}`, 'x'])),
  '10,000 places': Array.from({ length: 10_000 }, (_, i) => `place ${i}`),
  '1,000,000 holes': new Array(1_000_000),
};
