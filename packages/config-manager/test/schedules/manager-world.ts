import { ClosedError, CoordError, TimeoutError, ValidationError } from '@coord/client';
import { type ConfigManager, createConfigManager, type TwoPhaseUpdater } from '../../src/index.js';
import { type Content, type Numbered, ScriptedCenter } from './scripted-center.js';

/** Something of the user's that runs until the schedule ends it. */
interface Step {
  readonly what: string;
  resolve(): void;
  reject(error: Error): void;
}

const UPDATE_TIMEOUT_MS = 3_000;

/** A manager whose centre, validators, updaters and subscribers do what the schedule says. */
export class ManagerWorld {
  readonly manager: ConfigManager<Numbered>;
  readonly #onDelete: 'keep' | 'default';
  readonly #center = new ScriptedCenter('prod/orders/http');
  readonly #wrong = new Set<string>();
  /** Prepared, and neither committed nor rolled back, by updater. */
  readonly #built = new Map<string, string>();
  #steps: Step[] = [];
  #newest = 0;
  #toldLast: number | undefined;
  #waiting = 0;
  /** The versions that somebody waits for. */
  readonly #awaited: number[] = [];
  #isStarted = false;
  /** Whether steps end by themselves, as if nothing needed time. */
  #prompt = false;
  applied = 0;
  refused = 0;

  constructor(onDelete: 'keep' | 'default') {
    this.#onDelete = onDelete;
    this.manager = createConfigManager<Numbered>({
      config: this.#center.center,
      env: 'prod',
      service: 'orders',
      component: 'http',
      defaults: { first: 0, second: 0 },
      validate: async ({ first, second }) => {
        await this.#run('validate');
        return first === second ? undefined : 'halves of two values';
      },
      onUpdate: [this.#updater('one'), this.#updater('two')],
      onDelete,
      startTimeoutMs: 500,
      updateTimeoutMs: UPDATE_TIMEOUT_MS,
      retryDelaysMs: [100, 400, 400],
    });
    this.manager.subscribe(async (next, previous) => {
      this.applied++;
      // One that is slow is told of several changes as one: from what it was told last.
      if (this.#toldLast !== undefined && previous.first !== this.#toldLast) {
        this.#note(`told of ${previous.first} → ${next.first} after ${this.#toldLast}`);
      }
      this.#toldLast = next.first;
      await this.#run('subscriber');
    });
  }

  get wrong(): readonly string[] {
    return [...this.#wrong];
  }

  write(content: Content): void {
    this.#center.write(content);
  }

  tell(how: 'next' | 'last'): void {
    this.#center.tell(how);
  }

  failWatch(): void {
    this.#center.failWatch();
  }

  /** A step of the user's ends. */
  end(which: number, how: 'well' | 'failed' | 'for good'): void {
    const step = this.#steps[which % this.#steps.length];
    if (step === undefined) return;
    this.#steps = this.#steps.filter((each) => each !== step);
    if (how === 'well') step.resolve();
    else step.reject(Object.assign(new Error(how), { retryable: how === 'failed' }));
  }

  async start(): Promise<void> {
    if (this.#isStarted) return;
    this.#isStarted = true;
    await this.#wait(() => this.manager.start());
    // As where its own defaults are refused.
    if (this.manager.status.state === 'failed') this.#isStarted = false;
  }

  async stop(): Promise<void> {
    if (!this.#isStarted) return;
    await this.#wait(() => this.manager.stop());
    this.#isStarted = false;
    this.#toldLast = undefined;
    this.#assertNothingHalf();
  }

  async reload(): Promise<void> {
    await this.#wait(() => this.manager.reload());
  }

  async waitFor(ahead: number): Promise<void> {
    const version = this.#center.newest.version + ahead || 1;
    this.#awaited.push(version);
    await this.#wait(async () => {
      const { first } = await this.manager.waitFor(version);
      const { status } = this.manager;
      if (first < version && !status.absent && status.version < version)
        this.#note(`waited for ${version} and got ${first}`);
    });
    this.#awaited.splice(this.#awaited.indexOf(version), 1);
  }

  look(): void {
    const { current } = this.manager;
    const { first, second } = current;
    if (!Object.isFrozen(current)) this.#note('not frozen');
    if (first !== second) this.#note(`half of ${first} and half of ${second}`);
    const written = this.#center.written[first - 1];
    if (first > 0 && written?.content !== 'valid')
      this.#note(`${first} is in use, and is ${written?.content}`);
    const deleted = this.#center.written.slice(this.#newest).some(({ content }) => content === 'deleted');
    if (first < this.#newest && !(first === 0 && deleted && this.#onDelete === 'default')) {
      this.#note(`${first} after ${this.#newest}`);
    }
    this.#newest = first;
  }

  /** From here on nothing fails and nothing takes long: the manager comes to what was written last. */
  async finish(pass: (ms: number) => Promise<void>): Promise<void> {
    this.#prompt = true;
    while (this.#steps.length > 0) this.end(0, 'well');
    await pass(100);
    if (!this.#isStarted) void this.start();
    for (let round = 0; round < 40 && !this.#isSettled; round++) {
      this.#center.tell('last');
      await pass(1_000);
      this.look();
      const { rejected } = this.manager.status;
      if (rejected?.retrying === false) void this.reload(); // nothing else tries again what was refused for good
    }
    const { status, current } = this.manager;
    const { version } = this.#center.newest;
    if (this.#awaited.some((each) => each <= version))
      this.#note(`still waits for ${this.#awaited} at ${version}`);
    if (!this.#isSettled)
      this.#note(`ends with ${current.first}, ${status.state}, not ${this.#center.newest.content}`);
    this.#assertNothingHalf();
    void this.stop();
    await pass(500);
    if (this.#waiting > 0) this.#note(`${this.#waiting} still wait`);
    if (this.manager.status.state !== 'stopped') this.#note(`is ${this.manager.status.state}, not stopped`);
  }

  get #isSettled(): boolean {
    const { status, current } = this.manager;
    const { version, content } = this.#center.newest;
    if (!this.#center.isTold) return false;
    switch (content) {
      case 'valid':
        return status.state === 'ready' && current.first === version;
      case 'deleted':
        return status.state === 'ready' && (this.#onDelete === 'keep' || current.first === 0);
      default:
        return status.state === 'degraded' && status.rejected?.version === version;
    }
  }

  /** Whoever waits is told something, by the time the manager has stopped. */
  async #wait(what: () => Promise<unknown>): Promise<void> {
    this.#waiting++;
    try {
      await what();
    } catch (error) {
      const isTrue =
        error instanceof ClosedError || error instanceof TimeoutError || error instanceof ValidationError;
      if (!isTrue) this.#note(`failed: ${CoordError.is(error) ? error.message : String(error)}`);
      this.refused++;
    }
    this.#waiting--;
  }

  #run(what: string): Promise<void> {
    if (this.#prompt) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#steps.push({ what, resolve, reject });
    });
  }

  #updater(name: string): TwoPhaseUpdater<Numbered> {
    const entry = (next: Numbered, previous: Numbered) => `${previous.first}→${next.first}`;
    const ends = (next: Numbered, previous: Numbered, how: string) => {
      if (this.#built.get(name) !== entry(next, previous)) {
        this.#note(`${name}: ${how} of ${entry(next, previous)}, and built is ${this.#built.get(name)}`);
      }
      this.#built.delete(name);
    };
    return {
      prepare: async (next, previous, { signal }) => {
        if (next.first !== next.second) this.#note('an updater saw what the validator refuses');
        if (previous !== this.manager.current) this.#note('prepared from something that is not current');
        if (this.#built.has(name)) this.#note(`two at once: ${this.#built.get(name)}`);
        const startedAt = performance.now();
        await this.#run(`${name} prepare`);
        // One that took too long was given up, and is to leave nothing behind; also if it had been told to stop before.
        const isGivenUp =
          signal.reason instanceof TimeoutError ||
          (signal.aborted && performance.now() - startedAt >= UPDATE_TIMEOUT_MS);
        if (!isGivenUp) this.#built.set(name, entry(next, previous));
      },
      commit: async (next, previous) => {
        if (next !== this.manager.current) this.#note('committed before the swap');
        ends(next, previous, 'commit');
        await this.#run(`${name} commit`);
      },
      rollback: async (next, previous) => {
        if (previous !== this.manager.current) this.#note('rolled back after the swap');
        ends(next, previous, 'rollback');
        await this.#run(`${name} rollback`);
      },
    };
  }

  #assertNothingHalf(): void {
    for (const [name, built] of this.#built) this.#note(`${name} has prepared ${built}, and forgotten it`);
  }

  #note(what: string): void {
    this.#wrong.add(what);
  }
}
