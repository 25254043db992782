import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { etcdEnvironment } from './version.js';

/**
 * One run of an etcd binary. It writes its log into a file, so that a blocked event loop of this process never
 * blocks etcd, and it has a process group of its own, so that Ctrl-C does not end it before the test has ended.
 *
 * @internal
 */
export class EtcdProcess {
  readonly #child: ChildProcess;
  /** Fulfilled with how it ended. Never rejects. */
  readonly ended: Promise<string>;
  #end: string | undefined;

  constructor(
    etcdFile: string,
    args: readonly string[],
    options: {
      folder: string;
      logFile: string;
      environment?: Readonly<Record<string, string>> | undefined;
      /** What starts etcd, and becomes it. */
      launcher?: readonly string[] | undefined;
    },
  ) {
    const [command = etcdFile, ...rest] = [...(options.launcher ?? []), etcdFile, ...args];
    const log = openSync(options.logFile, 'a');
    try {
      this.#child = spawn(command, rest, {
        cwd: options.folder,
        detached: true,
        env: { ...etcdEnvironment(), ...options.environment },
        stdio: ['ignore', log, log],
      });
    } finally {
      closeSync(log);
    }
    this.#child.unref();
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message)); // could not be started
      this.#child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`));
    }).then((end) => {
      this.#end = String(end);
      return this.#end;
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#end === undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal; false if it does not run. */
  signal(name: NodeJS.Signals): boolean {
    return this.running && this.#child.kill(name);
  }

  /** Resolves when it stands still: the signal reaches its threads one by one. */
  async pause(): Promise<void> {
    this.signal('SIGSTOP');
    while (this.running && (await hasMovingThread(this.pid ?? 0))) await sleep(1);
  }

  /** SIGTERM, then SIGKILL if it still runs after the timeout. */
  async terminate(timeoutMs: number): Promise<void> {
    this.signal('SIGTERM');
    const deadline = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    await this.#waitForEnd();
    clearTimeout(deadline);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#waitForEnd();
  }

  async #waitForEnd(): Promise<void> {
    this.#child.ref(); // somebody waits now
    if (this.running) await once(this.#child, 'exit');
    await this.ended;
  }
}

/** False as well where there is no /proc to tell it. */
async function hasMovingThread(pid: number): Promise<boolean> {
  const folder = `/proc/${pid}/task`;
  const threads = await readdir(folder).catch(() => []);
  const stats = threads.map((thread) => readFile(`${folder}/${thread}/stat`, 'utf8').catch(() => ''));
  return (await Promise.all(stats)).some((stat) => /\) [^TtXZ] \d/.test(stat)); // T: stopped, X and Z: ended
}
