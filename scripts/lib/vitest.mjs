import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { CACHE, toolEntry } from './root.mjs';
import { detail } from './say.mjs';

/**
 * Runs vitest with the given Node and environment, shows its output, and counts.
 *
 * `failed` is never 0 if vitest was not content: a file that does not load counts as one failed test, and so does an
 * error outside of all tests. `nodes` are the Node versions that vitest's workers said they are.
 */
export async function runVitest(args, { node = process.execPath, env = {} } = {}) {
  mkdirSync(CACHE, { recursive: true });
  const reportFile = join(CACHE, `vitest-${process.pid}.json`);
  const nodesFile = join(CACHE, `vitest-${process.pid}.nodes`);
  try {
    const { code } = await runChild(
      node,
      [
        toolEntry('vitest'),
        'run',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${reportFile}`,
        ...args,
      ],
      { output: 'show', env: { ...env, COORD_RECORD_NODE: nodesFile } },
    );
    const nodes = existsSync(nodesFile)
      ? [...new Set(readFileSync(nodesFile, 'utf8').trim().split('\n'))]
      : [];
    return {
      ...count(existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')) : undefined, code),
      nodes,
    };
  } finally {
    rmSync(reportFile, { force: true });
    rmSync(nodesFile, { force: true });
  }
}

/** Counts what vitest reported (nothing, if it crashed) in such a way that no failure gets lost. */
export function count(report, exitCode) {
  if (!report) {
    detail(`vitest ended with exit code ${exitCode} and without a report; that counts as one failure`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const { testResults, numPassedTests, numFailedTests, numPendingTests, numTodoTests } = report;
  const unloaded = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  let failed = numFailedTests + unloaded;
  if (failed === 0 && exitCode !== 0) {
    detail(
      `No test failed, but vitest ended with exit code ${exitCode} (see above); that counts as one failure`,
    );
    failed = 1;
  }
  return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests };
}

/** The plain line that ends every run of tests. */
export function countLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

export function succeeded({ passed, failed }) {
  return failed === 0 && passed > 0;
}
