import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WorkerLaunch } from '../stage/stage.js';
import type { Assignment, Command, Moment, Report } from './messages.js';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
/** Under vitest the sources run; else what the run itself was started with, which is the built packages. */
export const EXEC_ARGV = process.env.VITEST
  ? ['--conditions=@coord/source', '--import', 'tsx']
  : process.execArgv;

/** A worker as the run sees it. */
export class WorkerProcess {
  readonly assignment: Assignment;
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #ended = false;
  #killed = false;

  constructor(
    assignment: Assignment,
    { launcher, environment }: WorkerLaunch,
    onReport: (report: Report, worker: WorkerProcess) => void,
  ) {
    this.assignment = assignment;
    const [execPath = process.execPath, ...execArgv] = [...launcher, process.execPath, ...EXEC_ARGV];
    const env = { ...process.env, ...environment };
    this.#child = fork(WORKER, [JSON.stringify(assignment)], { execPath, execArgv, env });
    this.#exit = once(this.#child, 'exit');
    this.#child.on('message', (report: Report) => {
      if (report.type === 'ended') this.#ended = true;
      else onReport(report, this);
    });
  }

  /** It has come to its end by itself, or was killed by the run. */
  get endedWell(): boolean {
    return this.#ended || this.#killed;
  }

  get exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** It has died of something else. */
  get crashed(): boolean {
    return !this.endedWell && this.exited;
  }

  /** It need not wait at this moment any longer. */
  goOn({ id }: Pick<Moment, 'id'>): void {
    this.#send({ type: 'go on', id });
  }

  stop(): void {
    this.#send({ type: 'stop' });
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Resolves when it is gone; also one that is frozen. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  #send(command: Command): void {
    if (this.#child.connected) this.#child.send(command);
  }
}
