import { spawn } from 'node:child_process';
import { TestkitError } from './errors.js';

/**
 * Runs a program to its end and resolves to its standard output.
 *
 * @internal
 * @throws {TestkitError} `COORD_TESTKIT_COMMAND_FAILED` with what it wrote.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(options.cwd && { cwd: options.cwd }),
      ...(options.signal && { signal: options.signal }),
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      err += chunk;
    });
    const fail = (problem: string, cause?: unknown) =>
      reject(
        new TestkitError('COORD_TESTKIT_COMMAND_FAILED', `${command}: ${problem}`, 'see its message', {
          cause,
        }),
      );
    child.once('error', (error) => fail(error.message, error));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(out);
      else fail(`${signal ?? `exit code ${code}`}: ${err.trim().slice(-2_000)}`);
    });
  });
}
