import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const TIMEOUT_MS = 20_000;
/** Where a plain user's PATH does not lead. */
const SBIN = '/usr/local/sbin:/usr/sbin:/sbin';

export const COMMAND_PATH = `${process.env.PATH ?? ''}:${SBIN}`;

/** Runs a program to its end; rejects with what it complained of. */
export async function run(command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const [file = '', ...args] = command;
  const all = { ...process.env, LC_ALL: 'C', ...env, PATH: COMMAND_PATH };
  try {
    return (await promisify(execFile)(file, args, { timeout: TIMEOUT_MS, env: all })).stdout;
  } catch (error) {
    const detail = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Error(`${command.join(' ')}: ${detail || String(error)}`, { cause: error });
  }
}

/** Undefined if these commands all run through, else why the first of them does not. */
export async function problemOf(...commands: readonly (readonly string[])[]): Promise<string | undefined> {
  for (const command of commands) {
    try {
      await run(command);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}
