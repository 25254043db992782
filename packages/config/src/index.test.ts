import { expect, it } from 'vitest';
import * as config from './index.js';
import * as internal from './internal.js';

it('exports what it promises, and nothing else', () => {
  expect(Object.keys(config).sort()).toEqual(['VersionConflictError', 'createConfigCenter']);
  expect(Object.keys(internal).sort()).toEqual([
    'applySchema',
    'checkSchema',
    'decodeContent',
    'deepFreeze',
    'encodeContent',
    'internalsOfCenter',
    'isOutage',
    'isPlainObject',
    'normalizeKey',
    'schemaError',
  ]);
});

it('a conflict says what to do, and can be logged', () => {
  const error = new config.VersionConflictError('app/db', { expected: 3n, actual: 5n, external: false });
  expect(error.message).toBe('config "app/db": expected revision 3, found 5; read it again and retry');
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({
    code: 'COORD_VERSION_CONFLICT',
    expected: '3',
    actual: '5',
  });
});
