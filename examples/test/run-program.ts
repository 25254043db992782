import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The root of the workspace. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface ProgramEnd {
  /** null when it did not end by itself in time. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a TypeScript or JavaScript file on the packages' sources, so that no build is needed. */
export async function runProgram(
  file: string,
  environment: Readonly<Record<string, string | undefined>> = {},
  timeoutMs = 110_000,
): Promise<ProgramEnd> {
  const child = spawn(process.execPath, ['--conditions=@coord/source', '--import', 'tsx', file], {
    cwd: ROOT,
    env: { ...process.env, TSX_DISABLE_CACHE: '1', NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, ...output }));
  });
}
