import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer } from './block-host.js';
import { ROOT } from './markdown-blocks.js';

const HOST = fileURLToPath(new URL('block-host.ts', import.meta.url));

/** Runs files one after another in one process on the packages' sources; the next process is made when one has ended. */
export class BlockRunner implements AsyncDisposable {
  readonly #environment: Readonly<Record<string, string>>;
  #host: ChildProcess | undefined;

  /** @param environment what is set for the blocks beside the environment of this process */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment;
  }

  /** Resolves to what was printed, and to why it failed, if it did. */
  run(file: string, timeoutMs: number): Promise<Answer> {
    this.#host ??= this.#start();
    const host = this.#host;
    return new Promise((resolve) => {
      const answer = (reached: Answer) => {
        clearTimeout(timer);
        host.off('message', answer).off('exit', exited);
        if (reached.error !== undefined) this.#discard(host);
        resolve(reached);
      };
      const timer = setTimeout(() => {
        answer({ error: `it had not ended after ${timeoutMs} ms`, output: '' });
      }, timeoutMs);
      const exited = (code: number | null, signal: string | null) => {
        answer(code === 0 ? { output: '' } : { error: `it ended with ${code ?? signal}`, output: '' });
      };
      host.on('message', answer).on('exit', exited);
      host.send({ file });
    });
  }

  /** What has failed may have left anything behind. */
  #discard(host: ChildProcess): void {
    host.kill('SIGKILL');
    this.#host = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const host = this.#host;
    this.#host = undefined;
    if (host === undefined || host.exitCode !== null || host.signalCode !== null) return;
    const ended = new Promise((resolve) => host.once('exit', resolve));
    host.disconnect();
    await ended;
  }

  #start(): ChildProcess {
    const host = fork(HOST, {
      cwd: ROOT,
      execArgv: [
        '--conditions=@coord/source',
        '--import',
        'tsx',
        '--experimental-vm-modules',
        '--no-warnings',
      ],
      env: { ...process.env, TSX_DISABLE_CACHE: '1', NO_COLOR: '1', ...this.#environment },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    host.on('error', (error) => console.error(error));
    host.once('exit', () => {
      if (this.#host === host) this.#host = undefined;
    });
    return host;
  }
}
