import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Assignment } from './messages.js';
import { within } from './within.js';

const ANSWER_MS = 15_000;
const EXIT_MS = 3_000;

/** Told apart by `type`. */
export type Typed = { readonly type: string };

/** A child process of the demo: it takes orders and gives reports. */
export class Actor<Order extends Typed, Report extends Typed> {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #reports: Report[] = [];
  #listeners: (() => void)[] = [];
  #complaint = '';

  /** `file` lies beside this one. It runs with the flags of this process, so with the same TypeScript loader. */
  constructor(file: string, assignment: Assignment) {
    this.name = assignment.name;
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(assignment)], {
      serialization: 'advanced', // fencing tokens are bigint
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-500);
    });
    this.#child.on('message', (report: Report) => {
      this.#reports.push(report);
      this.#somethingHappened();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#complaint += error.message;
        if (this.pid === undefined) resolve(); // it has never started
      });
      this.#child.once('close', () => resolve());
    });
    void this.#ended.then(() => this.#somethingHappened());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  order(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  /** The next report of this type. @throws when the process ends instead, or says nothing */
  report<T extends Report['type']>(type: T): Promise<Extract<Report, { type: T }>> {
    return within(ANSWER_MS, `process ${this.name} to say "${type}"`, this.#report(type));
  }

  /** Waits until the process has ended by itself, and says how: `code 0`, `SIGKILL`. */
  async exit(): Promise<string> {
    await within(EXIT_MS, `process ${this.name} to end`, this.#ended);
    return this.#howItEnded();
  }

  /** As a crash would. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends the process, kindly at first; does nothing to one that has ended. */
  async stop(): Promise<void> {
    if (this.running) this.#child.kill('SIGTERM');
    await this.exit().catch(() => this.kill());
    await this.#ended;
  }

  async #report<T extends Report['type']>(type: T): Promise<Extract<Report, { type: T }>> {
    const wanted = (report: Report): report is Extract<Report, { type: T }> => report.type === type;
    for (;;) {
      const report = this.#reports.find(wanted);
      if (report !== undefined) {
        this.#reports.splice(this.#reports.indexOf(report), 1);
        return report;
      }
      if (!this.running) {
        const complaint = this.#complaint.trim();
        throw new Error(`process ${this.name} ended too early (${this.#howItEnded()}) ${complaint}`.trim());
      }
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  #somethingHappened(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }

  #howItEnded(): string {
    return this.#child.signalCode ?? `code ${this.#child.exitCode}`;
  }
}
