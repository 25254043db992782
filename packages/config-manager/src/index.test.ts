import { expect, it } from 'vitest';
import * as manager from './index.js';

it('exports what it promises, and nothing else', () => {
  expect(Object.keys(manager)).toEqual(['createConfigManager']);
});
