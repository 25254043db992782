import { describe, expect, it } from 'vitest';
import { checkOverrides, checkSchemas, checkSecrets } from './check-values.js';
import { overridePrefix, rawKey, schemaKey } from './config-names.js';
import { gone, historyKey, KEYS, put, RUN, version } from './hand-written.js';

describe('the check of schemas', () => {
  const allows = (revision: number, maximum: number) =>
    put(revision, schemaKey(KEYS.checked), { properties: { n: { type: 'integer', maximum } } });
  const value = (revision: number, v: number, n: number) => version(revision, KEYS.checked, v, { n });

  it('finds nothing where each fits the schema of its moment', () => {
    const log = [
      ...value(2, 1, 90),
      allows(3, 30),
      ...value(4, 2, 30),
      allows(5, 60),
      ...value(6, 3, 50),
      allows(7, 30),
    ];
    expect(checkSchemas(log, RUN)).toEqual([]);
    expect(checkSchemas([allows(2, 30), gone(3, schemaKey(KEYS.checked)), ...value(4, 1, 90)], RUN)).toEqual(
      [],
    );
  });

  it('finds one that would have fitted an older or a later one', () => {
    expect(checkSchemas([allows(2, 60), allows(3, 30), ...value(4, 1, 50)], RUN)).toHaveLength(1);
    expect(checkSchemas([allows(2, 30), ...value(3, 1, 50), allows(4, 60)], RUN)).toHaveLength(1);
    expect(checkSchemas([allows(2, 30), ...version(3, KEYS.checked, 1, 'text')], RUN)).toHaveLength(1);
  });
});

describe('the check of secrets', () => {
  const SEALED = `coord:sealed:1:k1:${'x'.repeat(50)}`;

  it('finds nothing in what is encrypted', () => {
    expect(checkSecrets(version(2, KEYS.secret, 1, SEALED), RUN)).toEqual([]);
    expect(checkSecrets([gone(2, rawKey(KEYS.secret))], RUN)).toEqual([]);
  });

  it('finds a secret in clear, wherever it is', () => {
    expect(checkSecrets([put(2, historyKey(KEYS.secret, 1), '{}\nhush-p0-1')], RUN)).toHaveLength(1);
    expect(checkSecrets([put(2, rawKey(KEYS.tuned), 'hush-p0-1')], RUN)).toHaveLength(1);
    expect(checkSecrets([put(2, rawKey(KEYS.secret), 'p0-1')], RUN)).toHaveLength(1);
  });
});

describe('the check of overrides', () => {
  const key = (name: string) => `${overridePrefix(KEYS.tuned)}${name}`;

  it('finds those that are left', () => {
    expect(checkOverrides([put(2, key('a'), 'x'), gone(3, key('a'))], RUN)).toEqual([]);
    expect(
      checkOverrides([put(2, key('a'), 'x'), gone(3, key('a')), put(4, key('b'), 'x')], RUN),
    ).toHaveLength(1);
  });
});
