import { ValidationError } from '@coord/client';
import type { IssueList } from '@coord/client/internal';
import { describe, expect, it } from 'vitest';
import { decodeYaml, encodeYaml } from './yaml.js';

describe('YAML', () => {
  it.each([
    ['# a comment\nport: 80 # why\nhosts: [a, b]\n', { port: 80, hosts: ['a', 'b'] }],
    ['country: no\nversion: 1.20\nzip: "0123"\n', { country: 'no', version: 1.2, zip: '0123' }],
    ['id: 9223372036854775807\nn: -5\n', { id: 9223372036854775807n, n: -5 }],
    ['base: &b { a: 1 }\nother: *b\n', { base: { a: 1 }, other: { a: 1 } }],
    ['1: one\n', { '1': 'one' }],
    ['text', 'text'],
    ['', null],
  ])('%j is read', (text, value) => {
    expect(decodeYaml(text, 'value')).toEqual(value);
  });

  it.each([
    ['a broken line', 'a: [1', /not valid YAML: \S+ in line 1/],
    ['a name twice', 'a: 1\na: 2\n', /not valid YAML: DUPLICATE_KEY in line 2/],
    ['a tag of others', 'a: !!js/function "x"\n', /not valid YAML: TAG/],
    ['two documents', 'a: 1\n---\nb: 2\n', /not valid YAML: MULTIPLE_DOCS/],
    ['a name of the prototype', '__proto__: { polluted: true }\n', /forbidden property name/],
    ['another one', 'a: { constructor: 1 }\n', /value.a.constructor/],
    ['too deep', `${'['.repeat(70)}${']'.repeat(70)}`, /nested deeper/],
  ])('%s is refused with its place, and without the text', (_name, text, message) => {
    expect(() => decodeYaml(text, 'value')).toThrow(message);
    expect(() => decodeYaml(text, 'value')).toThrow(ValidationError);
    expect(() => decodeYaml(`${text}\nsecret: [s3cret`, 'value')).not.toThrow(/s3cret/);
  });

  it('does not swell: aliases of aliases are refused', () => {
    const levels = Array.from({ length: 12 }, (_, n) =>
      n === 0
        ? 'l0: &l0 [x, x, x, x, x, x, x, x, x]'
        : `l${n}: &l${n} [${Array(9)
            .fill(`*l${n - 1}`)
            .join(', ')}]`,
    );
    expect(() => decodeYaml(`${levels.join('\n')}\n`, 'value')).toThrow(/too many aliases/);
  });

  it('is written so that it is read again', () => {
    const value = { text: '123', flag: 'no', id: 2n ** 63n - 1n, list: [1, null, { deep: true }], empty: {} };
    const issues: IssueList = [];
    expect(decodeYaml(encodeYaml(issues, value, 'value'), 'value')).toEqual(value);
    encodeYaml(issues, { a: undefined }, 'value');
    expect(issues).toMatchObject([{ path: 'value.a' }]);
  });
});
