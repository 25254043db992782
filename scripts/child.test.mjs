import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { mustRun, runChild } from './lib/child.mjs';

test('a failing program is a failure with its output and a remedy', async () => {
  const work = mustRun(process.execPath, ['-e', 'console.log("why"); process.exit(3)'], {
    failure: 'It broke',
    remedy: 'mend it',
  });
  await expect(work).rejects.toMatchObject({
    message: 'It broke (exit code 3)',
    tail: 'why',
    remedy: 'mend it',
  });
});

test('a program that does not exist is a failure', async () => {
  await expect(runChild('coord-no-such-program', [])).rejects.toThrow('coord-no-such-program does not start');
});

test.skipIf(process.platform === 'win32')('what a program leaves running ends with it', async () => {
  const script = `
    const options = { stdio: 'ignore' };
    const helper = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], options);
    helper.unref();
    console.log(helper.pid);`;
  const { tail } = await runChild(process.execPath, ['-e', script]);
  // Gone, or ended and not yet collected by the system's first process.
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', tail], { encoding: 'utf8' });
  expect(stdout.trim()).toMatch(/^(Z.*)?$/);
});
