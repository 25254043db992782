import { expect, it } from 'vitest';
import * as entry from './index.js';

it('exports exactly what is documented', () => {
  expect(Object.keys(entry).sort()).toEqual([
    'LockConflictError',
    'LockExpiredError',
    'LockNotHeldError',
    'LockTimeoutError',
    'createLocks',
  ]);
});
