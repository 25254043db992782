import { constants } from 'node:os';
import { ClosedError } from '@coord/client';
import { assertValid, checkPositiveMs, type IssueList, show } from '@coord/client/internal';
import { registryInternalsOf } from './registry-internals.js';
import type { ServiceRegistry } from './service-registry.js';

export interface DrainOnSignalOptions {
  /** @default ['SIGTERM'] */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /** See {@link DrainOptions.waitMs}. @default 1_000 */
  readonly waitMs?: number | undefined;
  /**
   * Where the process is ended after the drain: it is ended by then at the latest, whatever is not done yet. Keep it
   * below the patience of whoever sends the signal (Docker 10 s, Kubernetes 30 s). In milliseconds. @default 9_000
   */
  readonly timeoutMs?: number | undefined;
  /** Called once nobody sends calls here any more: the place to let those under way finish. May be async. */
  readonly onDrained?: ((signal: NodeJS.Signals) => unknown) | undefined;
  /**
   * Whether to end the process after that, with the exit code that a shell gives to the signal (SIGTERM: 143).
   * @default true when nobody else listens to the signal as it comes: otherwise that is theirs to decide
   */
  readonly exit?: boolean | undefined;
}

/** Listens until it is closed, or its signal has come. */
export interface SignalDrain extends AsyncDisposable {
  /** Stops listening. A drain that is under way goes on, but no longer ends the process. Idempotent. */
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 9_000;
/** On each listener that may end the process, over all copies of this module: whether it is at work. */
const AT_WORK: unique symbol = Symbol.for('@coord/registry.drainOnSignal');

type Listener = ((signal: NodeJS.Signals) => void) & { [AT_WORK]?: boolean };

/**
 * Drains registries when the process is told to end, so that a rolling restart costs no failed call. Other listeners
 * of the signal are left alone. A second signal ends the process at once, where the first would have ended it.
 * @throws {ValidationError} for bad options
 * @example
 * const server = new grpc.Server();
 * drainOnSignal(registry, { onDrained: () => new Promise<void>((done) => server.tryShutdown(() => done())) });
 */
export function drainOnSignal(
  registries: ServiceRegistry | readonly ServiceRegistry[],
  options: DrainOnSignalOptions = {},
): SignalDrain {
  const list: readonly ServiceRegistry[] = Array.isArray(registries) ? registries : [registries];
  assertValid(checkOptions(checkRegistries([], list), options));
  return new ProcessDrain(list, options);
}

class ProcessDrain implements SignalDrain {
  readonly #registries: readonly ServiceRegistry[];
  readonly #options: DrainOnSignalOptions;
  readonly #signals: ReadonlySet<NodeJS.Signals>;
  readonly #listener: Listener;
  #exits = false;
  #started = false;

  constructor(registries: readonly ServiceRegistry[], options: DrainOnSignalOptions) {
    this.#registries = registries;
    this.#options = options;
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
    this.#run(signal).catch((error: unknown) => this.#warn('drain failed', error));
  }

  async #run(signal: NodeJS.Signals): Promise<void> {
    const { waitMs, timeoutMs = DEFAULT_TIMEOUT_MS, onDrained } = this.#options;
    // It also keeps the process alive: the retries of a drain do not.
    const deadline = setTimeout(() => {
      this.#warn('not drained in time', undefined);
      this.#finish(signal);
    }, timeoutMs);
    const drained = await Promise.allSettled(this.#registries.map((registry) => registry.drain({ waitMs })));
    for (const outcome of drained) {
      if (outcome.status === 'fulfilled' || outcome.reason instanceof ClosedError) continue;
      this.#warn('registry not drained', outcome.reason);
    }
    try {
      await onDrained?.(signal);
    } catch (error) {
      this.#warn('onDrained failed', error);
    }
    clearTimeout(deadline);
    this.#finish(signal);
  }

  #finish(signal: NodeJS.Signals): void {
    const exits = this.#exits;
    if (AT_WORK in this.#listener) this.#listener[AT_WORK] = false;
    for (const each of this.#signals) process.off(each, this.#listener);
    const isLast = !process.listeners(signal).some((each) => AT_WORK in each && each[AT_WORK] === true);
    if (exits && isLast) process.exit(exitCode(signal));
  }

  #warn(message: string, error: unknown): void {
    const [first] = this.#registries;
    const logger = first && registryInternalsOf(first)?.logger;
    logger?.warn(message, error === undefined ? {} : { error });
  }
}

/** As shells report a process that a signal has ended. */
function exitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function checkRegistries(issues: IssueList, registries: readonly ServiceRegistry[]): IssueList {
  if (registries.length === 0) issues.push({ path: 'registries', message: 'must not be empty' });
  for (const [index, registry] of registries.entries()) {
    if (typeof registry === 'object' && registry !== null && typeof registry.drain === 'function') continue;
    issues.push({
      path: `registries[${index}]`,
      message: `must be made by createRegistry(), got ${show(registry)}`,
    });
  }
  return issues;
}

function checkOptions(issues: IssueList, options: DrainOnSignalOptions): IssueList {
  if (typeof options !== 'object' || options === null) {
    issues.push({ path: 'options', message: `must be an object, got ${show(options)}` });
    return issues;
  }
  const { signals, waitMs, timeoutMs, onDrained, exit } = options;
  if (waitMs !== undefined && waitMs !== 0) checkPositiveMs(issues, 'waitMs', waitMs);
  if (timeoutMs !== undefined) checkPositiveMs(issues, 'timeoutMs', timeoutMs);
  if (onDrained !== undefined && typeof onDrained !== 'function') {
    issues.push({ path: 'onDrained', message: `must be a function, got ${show(onDrained)}` });
  }
  if (exit !== undefined && typeof exit !== 'boolean') {
    issues.push({ path: 'exit', message: `must be true or false, got ${show(exit)}` });
  }
  return signals === undefined ? issues : checkSignals(issues, signals);
}

function checkSignals(issues: IssueList, signals: readonly NodeJS.Signals[]): IssueList {
  if (!Array.isArray(signals) || signals.length === 0) {
    issues.push({ path: 'signals', message: `must be a list of signals, got ${show(signals)}` });
    return issues;
  }
  for (const [index, signal] of signals.entries()) {
    const known = typeof signal === 'string' && Object.hasOwn(constants.signals, signal);
    if (known && signal !== 'SIGKILL' && signal !== 'SIGSTOP') continue;
    issues.push({
      path: `signals[${index}]`,
      message: `must be a signal that can be caught, got ${show(signal)}`,
    });
  }
  return issues;
}
