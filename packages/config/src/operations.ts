import { ClosedError, type WaitOptions } from '@coord/client';
import { assertValid, checkWaitOptions, type IssueList, type Operation, Wait } from '@coord/client/internal';
import type { ConfigStore } from './config-store.js';
import { normalizeKey } from './key-layout.js';

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
  async onKey<T>(
    operation: string,
    key: string,
    options: WaitOptions | undefined,
    check: (issues: IssueList) => void,
    work: (key: string, wait: Wait) => Promise<T>,
    normalize: (issues: IssueList, key: unknown) => string = normalizeKey,
  ): Promise<T> {
    const issues: IssueList = [];
    const name = normalize(issues, key);
    const checkAll = (all: IssueList) => {
      all.push(...issues);
      check(all);
    };
    return this.run(operation, { key: name }, options, checkAll, (wait) => work(name, wait));
  }

  /** @param subject what it is about, for the log, spans and error messages */
  async run<T>(
    operation: string,
    subject: Readonly<Record<string, string | number>>,
    options: WaitOptions | undefined,
    check: (issues: IssueList) => void,
    work: (wait: Wait) => Promise<T>,
  ): Promise<T> {
    this.assertOpen();
    const issues: IssueList = [];
    if (options === undefined || isObject(options)) check(issues);
    assertValid(checkWaitOptions(issues, options));
    using wait = new Wait(options, `config ${operation} "${Object.values(subject).join(' ')}"`);
    return await this.#store.observer.observe(named(operation), subject, async () => {
      try {
        return await work(wait);
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

/** What is no object of options is refused by `checkWaitOptions`. */
export function isObject(options: unknown): boolean {
  return typeof options === 'object' && options !== null;
}
