import { expect, test } from 'vitest';
import { count, countLine, succeeded } from './lib/vitest.mjs';

const report = (numbers, testResults = []) => ({
  testResults,
  ...{ numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, ...numbers },
});

test.each([
  ['all passed', report({ numPassedTests: 3 }), 0, '3 passed, 0 failed', true],
  [
    'skipped and todo',
    report({ numPassedTests: 3, numPendingTests: 1, numTodoTests: 1 }),
    0,
    '3 passed, 0 failed, 2 skipped',
    true,
  ],
  ['one failed', report({ numPassedTests: 3, numFailedTests: 1 }), 1, '3 passed, 1 failed', false],
  [
    'a file does not load',
    report({}, [{ status: 'failed', assertionResults: [] }]),
    1,
    '0 passed, 1 failed',
    false,
  ],
  ['an error outside of tests', report({ numPassedTests: 3 }), 1, '3 passed, 1 failed', false],
  ['a crash', undefined, 134, '0 passed, 1 failed', false],
  ['nothing ran', report({}), 0, '0 passed, 0 failed', false],
])('%s', (_name, input, exitCode, line, success) => {
  const counts = count(input, exitCode);
  expect(countLine(counts)).toBe(line);
  expect(succeeded(counts)).toBe(success);
});
