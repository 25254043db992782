import { NotFoundError, ValidationError } from '@coord/client';
import { PushIterator } from '@coord/client/internal';
import type { ConfigCenter, ConfigChange, ConfigValue, ConfigWatch } from '@coord/config';

/** What is written. */
export type Content = 'valid' | 'refused' | 'unreadable' | 'deleted';

/** What was written, by its version, which is its revision, too. */
export interface Written {
  readonly version: number;
  readonly content: Content;
}

/** A centre with one key, whose changes come when the schedule says so, and whose watch may fail. */
export class ScriptedCenter {
  /** From version 1 on. */
  readonly written: Written[] = [];
  readonly #key: string;
  #watch: PushIterator<ConfigChange<never>> | undefined;
  /** So much of what was written has been told to the watch that there is. */
  #told = 0;
  live = true;

  constructor(key: string) {
    this.#key = key;
  }

  get newest(): Written {
    return this.written.at(-1) ?? { version: 0, content: 'deleted' };
  }

  write(content: Content): void {
    if (content === 'deleted' && this.newest.content === 'deleted') return; // there is nothing to delete
    this.written.push({ version: this.written.length + 1, content });
  }

  /** The watch has told everything. */
  get isTold(): boolean {
    return this.#watch !== undefined && this.#told === this.written.length;
  }

  /** The next change comes, or all of them as the last one. */
  tell(how: 'next' | 'last'): void {
    if (this.#watch === undefined || this.#told === this.written.length) return;
    this.#told = how === 'next' ? this.#told + 1 : this.written.length;
    this.#watch.push(this.#change(this.#told));
  }

  failWatch(): void {
    this.#watch?.fail(new Error('the watch has failed'));
    this.#watch = undefined;
  }

  readonly center: ConfigCenter = {
    watch: () => this.#open(),
    get: async () => this.#value(),
    getValue: unused,
    set: unused,
    compareAndSet: unused,
    delete: unused,
    getVersion: unused,
    getHistory: unused,
    rollback: unused,
    diff: unused,
    adopt: unused,
    list: unused,
    publish: unused,
    revert: unused,
    getRelease: unused,
    listReleases: unused,
    setSchema: unused,
    getSchema: unused,
    deleteSchema: unused,
    watchPrefix: unused,
    close: unused,
    [Symbol.asyncDispose]: unused,
  };

  #open(): ConfigWatch<never> {
    const changes = new PushIterator<ConfigChange<never>>();
    this.#watch = changes;
    this.#told = this.written.length;
    changes.push(this.#change(this.#told)); // it begins with what is there, also if that is nothing
    const isLive = () => this.live && this.#watch === changes;
    return {
      ready: Promise.resolve(),
      get live() {
        return isLive();
      },
      close: async () => changes.end(),
      [Symbol.asyncIterator]: () => changes,
      [Symbol.asyncDispose]: async () => changes.end(),
    };
  }

  #value(): ConfigValue<never> {
    const { version, content } = this.newest;
    if (content === 'deleted') throw new NotFoundError('not there', { key: this.#key });
    if (content === 'unreadable') throw unreadable();
    return { ...this.#at(version), ...PLAIN, value: contentOf(this.newest) as never };
  }

  #change(version: number): ConfigChange<never> {
    const written = this.written[version - 1] ?? this.newest;
    const change = { ...this.#at(version), external: false, last: true };
    if (written.content === 'deleted') return { ...change, type: 'delete' };
    if (written.content === 'unreadable') return { ...change, type: 'update', error: unreadable() };
    return { ...change, type: 'update', value: contentOf(written) as never };
  }

  #at(version: number) {
    return { key: this.#key, version, revision: BigInt(version), timestamp: new Date(0) };
  }
}

/** Both members have the same number, so that half of a value would show. */
export interface Numbered {
  readonly first: number;
  readonly second: number;
}

function contentOf({ version, content }: Written): Numbered {
  return { first: version, second: content === 'valid' ? version : -1 };
}

function unreadable(): ValidationError {
  return new ValidationError([{ path: 'value', message: 'cannot be read' }]);
}

const PLAIN = {
  external: false,
  createTime: new Date(0),
  updateTime: new Date(0),
  metadata: {},
  toJSON: () => ({}),
};

function unused(): never {
  throw new Error('a manager does not do that');
}
