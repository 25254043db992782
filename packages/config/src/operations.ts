import { ClosedError, type WaitOptions } from '@coord/client';
import {
  assertValid,
  checkWaitFields,
  type IssueList,
  type NamesOf,
  type Operation,
  readInput,
  readOptions,
  Wait,
} from '@coord/client/internal';
import type { ConfigStore } from './config-store.js';
import { normalizeKey } from './key-layout.js';

/** A caller's options, and which there are. */
export interface Given<O> {
  readonly options: O | undefined;
  readonly names: NamesOf<O>;
  /** How long it may take where they do not say. @default without end */
  readonly usualMs?: (options: O) => number | undefined;
}

/** What every operation shares: checks before any I/O, the caller's signal and timeout, and what is told of it. */
export class Operations {
  readonly #store: ConfigStore;
  #closed = false;

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  /** @throws {ClosedError} */
  assertOpen(): void {
    if (this.#closed) throw new ClosedError('the config centre is closed; create another one');
  }

  close(): void {
    this.#closed = true;
  }

  /** An operation on one key, or on what is below a prefix. */
  async onKey<O extends WaitOptions, T>(
    operation: string,
    key: string,
    given: Given<O>,
    check: (issues: IssueList, options: O) => void,
    work: (key: string, wait: Wait, options: O) => Promise<T>,
    normalize: (issues: IssueList, key: unknown) => string = normalizeKey,
  ): Promise<T> {
    const issues: IssueList = [];
    const name = normalize(issues, key);
    const checkAll = (all: IssueList, options: O) => {
      all.push(...issues);
      check(all, options);
    };
    return this.run(operation, { key: name }, given, checkAll, (wait, options) => work(name, wait, options));
  }

  /** @param subject what it is about, for the log, spans and error messages */
  async run<O extends WaitOptions, T>(
    operation: string,
    subject: Readonly<Record<string, string | number>>,
    given: Given<O>,
    check: (issues: IssueList, options: O) => void,
    work: (wait: Wait, options: O) => Promise<T>,
  ): Promise<T> {
    this.assertOpen();
    const issues: IssueList = [];
    const options = readOptions(issues, given.options, given.names);
    checkWaitFields(issues, options);
    readInput('input', () => check(issues, options));
    assertValid(issues);
    const timeoutMs = options.timeoutMs ?? given.usualMs?.(options);
    using wait = new Wait(
      { signal: options.signal, timeoutMs },
      `config ${operation} "${Object.values(subject).join(' ')}"`,
    );
    return await this.#store.observer.observe(named(operation), subject, async () => {
      try {
        return await work(wait, options);
      } catch (error) {
        throw wait.errorFor(error);
      }
    });
  }
}

/** By what they are called here. */
const operations = new Map<string, Operation>();

function named(operation: string): Operation {
  const known = operations.get(operation) ?? { name: `coord.config.${operation}` };
  operations.set(operation, known);
  return known;
}
