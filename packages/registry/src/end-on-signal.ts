import { constants } from 'node:os';
import { checkPositiveMs, type IssueList, isArray, readInput, show } from '@coord/client/internal';

/** Which signals end the process, and how long that may take. */
export interface EndOnSignalOptions {
  /** @default ['SIGTERM'] */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /**
   * Where the process is ended after that, it is ended by then at the latest, whatever is not done yet. Keep it
   * below the patience of whoever sends the signal (Docker 10 s, Kubernetes 30 s). In milliseconds. @default 9_000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether to end the process after that, with the exit code that a shell gives to the signal (SIGTERM: 143).
   * @default true when nobody else listens to the signal as it comes: otherwise that is theirs to decide
   */
  readonly exit?: boolean | undefined;
}

/** Listens until it is closed, or its signal has come. */
export interface SignalDrain extends AsyncDisposable {
  /** Stops listening. What is under way goes on, but no longer ends the process. Idempotent. */
  close(): Promise<void>;
}

/** What is to be done before the process ends, and whom to tell of trouble. */
export interface SignalWork {
  run(signal: NodeJS.Signals): Promise<void>;
  warn(message: string, error?: unknown): void;
}

export const DEFAULT_SIGNAL_TIMEOUT_MS = 9_000;
/** On each listener that may end the process, over all copies of this module: whether it is at work. */
const AT_WORK: unique symbol = Symbol.for('@coord/registry.drainOnSignal');

type Listener = ((signal: NodeJS.Signals) => void) & { [AT_WORK]?: boolean };

/**
 * Does the work when the process is told to end, and then ends it. Other listeners of the signal are left alone, and
 * several hooks wait for each other. A second signal ends the process at once, where the first would have ended it.
 */
export function endOnSignal(work: SignalWork, options: EndOnSignalOptions): SignalDrain {
  return new ProcessEnd(work, options);
}

class ProcessEnd implements SignalDrain {
  readonly #work: SignalWork;
  readonly #options: EndOnSignalOptions;
  readonly #signals: ReadonlySet<NodeJS.Signals>;
  readonly #listener: Listener;
  #exits = false;
  #started = false;

  constructor(work: SignalWork, options: EndOnSignalOptions) {
    this.#work = work;
    this.#options = { ...options };
    this.#signals = new Set(options.signals ?? ['SIGTERM']);
    this.#listener = (signal) => this.#onSignal(signal);
    // One that leaves the process running counts among the others whose affair its end is.
    if (options.exit !== false) this.#listener[AT_WORK] = false;
    // In front: those that listen once are not among the listeners any more when their turn has come.
    for (const signal of this.#signals) process.prependListener(signal, this.#listener);
  }

  async close(): Promise<void> {
    this.#exits = false;
    for (const signal of this.#signals) process.off(signal, this.#listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onSignal(signal: NodeJS.Signals): void {
    if (this.#started) {
      if (this.#exits) process.exit(exitCode(signal));
      return;
    }
    this.#started = true;
    const others = process.listeners(signal).some((listener) => !(AT_WORK in listener));
    this.#exits = this.#options.exit ?? !others;
    if (AT_WORK in this.#listener) this.#listener[AT_WORK] = true;
    this.#run(signal).catch((error: unknown) => this.#work.warn('end on a signal failed', error));
  }

  async #run(signal: NodeJS.Signals): Promise<void> {
    // It also keeps the process alive: the retries of a drain do not.
    const deadline = setTimeout(() => {
      this.#work.warn('not done in time after a signal', { signal });
      this.#finish(signal);
    }, this.#options.timeoutMs ?? DEFAULT_SIGNAL_TIMEOUT_MS);
    try {
      await this.#work.run(signal);
    } finally {
      clearTimeout(deadline);
      this.#finish(signal);
    }
  }

  #finish(signal: NodeJS.Signals): void {
    const exits = this.#exits;
    if (AT_WORK in this.#listener) this.#listener[AT_WORK] = false;
    for (const each of this.#signals) process.off(each, this.#listener);
    const isLast = !process.listeners(signal).some((each) => AT_WORK in each && each[AT_WORK] === true);
    if (exits && isLast) process.exit(exitCode(signal));
  }
}

/** As shells report a process that a signal has ended. */
function exitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

export function checkSignalOptions(issues: IssueList, options: EndOnSignalOptions): void {
  const { signals, timeoutMs, exit } = options;
  if (timeoutMs !== undefined) checkPositiveMs(issues, 'timeoutMs', timeoutMs);
  if (exit !== undefined && typeof exit !== 'boolean') {
    issues.push({ path: 'exit', message: `must be true or false, got ${show(exit)}` });
  }
  if (signals !== undefined) readInput('signals', () => checkSignals(issues, signals));
}

function checkSignals(issues: IssueList, signals: readonly NodeJS.Signals[]): void {
  if (!isArray(signals) || signals.length === 0) {
    issues.push({ path: 'signals', message: `must be a list of signals, got ${show(signals)}` });
    return;
  }
  for (const [index, signal] of signals.entries()) {
    const known = typeof signal === 'string' && Object.hasOwn(constants.signals, signal);
    if (known && signal !== 'SIGKILL' && signal !== 'SIGSTOP') continue;
    issues.push({
      path: `signals[${index}]`,
      message: `must be a signal that can be caught, got ${show(signal)}`,
    });
  }
}
