import { CalledError, detached, hostile, imitation, revoked, throwing } from './hostile-objects.js';

function cyclic(): object {
  const self: Record<string, unknown> = {};
  self.self = self;
  return self;
}

class Instance {
  readonly field = 'value';
}

/** One of every type, and objects that are not what they seem. */
export const WRONG_TYPES: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  true: true,
  false: false,
  'a number': 5,
  'a bigint': 5n,
  text: 'x',
  'a symbol': Symbol('s'),
  'a function': () => 'x',
  'a function that throws': () => {
    throw new CalledError();
  },
  'a function that rejects': async () => {
    throw new CalledError();
  },
  'a class': Instance,
  'an array': [],
  'an array of text': ['a'],
  'an array with a hole': new Array(1),
  'an array of undefined': [undefined],
  'an object': {},
  'an object without prototype': Object.create(null),
  'a frozen object': Object.freeze({}),
  'an object with an unknown name': { noSuchName: 1 },
  'an instance of a class': new Instance(),
  'a date': new Date(0),
  'a date that is none': new Date(Number.NaN),
  'a regular expression': /x/,
  'a map': new Map([['a', 1]]),
  'a set': new Set(['a']),
  'an error': new Error('x'),
  'a promise': Promise.resolve('x'),
  'a boxed string': new String('a'),
  'a boxed number': new Number(1),
  'a boxed boolean': new Boolean(false),
  'an ArrayBuffer': new ArrayBuffer(4),
  '16-bit numbers': new Uint16Array(4),
  'a view of bytes': new DataView(new ArrayBuffer(4)),
  'shared bytes': new Uint8Array(new SharedArrayBuffer(4)),
  'bytes that were given away': detached(),
  'a cyclic object': cyclic(),
  'a cyclic array': ((array: unknown[]) => {
    array.push(array);
    return array;
  })([]),
  'a revoked proxy': revoked(),
  'a hostile proxy': hostile(),
  'a proxy that is everything': imitation(),
  'a getter that throws': throwing('key'),
  'a toJSON that throws': {
    toJSON() {
      throw new Error('no JSON');
    },
  },
  'a toString that throws': {
    toString() {
      throw new Error('no text');
    },
    valueOf() {
      throw new Error('no value');
    },
  },
  'a signal that has fired': AbortSignal.abort('fired'),
  'an imitation of a signal': { aborted: false },
  'a child of the signals': Object.create(AbortSignal.prototype),
};
