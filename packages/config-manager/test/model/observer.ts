import type { TwoPhaseUpdater } from '../../src/index.js';
import type { Numbered, World } from './world.js';

/** Looks over the shoulder of a manager, and notes every broken promise. */
export class Observer {
  readonly #world: World;
  readonly #wrong: string[] = [];
  /** Prepared, and neither committed nor rolled back. */
  readonly #built: string[] = [];
  #newest = 0;
  /** What the process before had in use, and so had written to the snapshot file. */
  #saved = 0;
  #toldLast: number | undefined;
  applied = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** What the manager says is current, at any time. */
  look(): void {
    const { current } = this.#world.manager;
    const { first, second } = current;
    if (!Object.isFrozen(current)) this.#note('not frozen');
    if (first !== second) this.#note(`half of ${first} and half of ${second}`);
    const { written } = this.#world;
    if (first === 0) {
      // The defaults, once there was something better: only after a deletion.
      if (this.#newest > 0 && !this.#deletedSince(this.#newest))
        this.#note(`the defaults after ${this.#newest}`);
      return;
    }
    if (written[first - 1]?.kind !== 'valid') this.#note(`${first} is not valid`);
    if (first < this.#newest) this.#note(`${first} after ${this.#newest}`);
    this.#newest = Math.max(this.#newest, first);
  }

  valid(next: Numbered): void {
    if (next.first !== next.second) this.#note('a validator saw what the schema refuses');
  }

  told(next: Numbered, previous: Numbered): void {
    this.applied++;
    this.look();
    if (next !== this.#world.manager.current) this.#note('told of something that is not current');
    if (this.#toldLast !== undefined && previous.first !== this.#toldLast) {
      this.#note(`told of ${previous.first} → ${next.first} after ${this.#toldLast}`);
    }
    this.#toldLast = next.first;
  }

  updater(name: string): TwoPhaseUpdater<Numbered> {
    const entry = (next: Numbered, previous: Numbered) => `${name} ${previous.first}→${next.first}`;
    const end = (next: Numbered, previous: Numbered, how: string) => {
      const index = this.#built.indexOf(entry(next, previous));
      if (index < 0) this.#note(`${how} without prepare: ${entry(next, previous)}`);
      else this.#built.splice(index, 1);
    };
    return {
      prepare: (next, previous) => {
        this.look();
        if (this.#built.some((other) => other.startsWith(name))) this.#note(`two at once: ${this.#built}`);
        if (previous !== this.#world.manager.current)
          this.#note('prepared from something that is not current');
        this.#built.push(entry(next, previous));
      },
      commit: (next, previous) => {
        if (next !== this.#world.manager.current) this.#note('committed before the swap');
        end(next, previous, 'commit');
      },
      rollback: (next, previous) => {
        if (previous !== this.#world.manager.current) this.#note('rolled back after the swap');
        end(next, previous, 'rollback');
      },
    };
  }

  nextProcess(): void {
    this.assertNothingHalf();
    this.#toldLast = undefined;
    this.#saved = this.#newest;
    this.#newest = 0;
  }

  /** Another process has started: it does not stay behind what the one before had saved. */
  assertNotBehind(): void {
    const { first } = this.#world.manager.current;
    if (first >= this.#saved || this.#deletedSince(this.#saved)) return;
    throw new Error(`started with ${first}, not ${this.#saved}`);
  }

  assertContent(): void {
    this.look();
    if (this.#wrong.length > 0) throw new Error(this.#wrong.join('; '));
  }

  /** To be asked when no update runs. */
  assertNothingHalf(): void {
    if (this.#built.length > 0) throw new Error(`prepared and forgotten: ${this.#built.join(', ')}`);
  }

  #deletedSince(number: number): boolean {
    return this.#world.written.some(({ kind }, index) => kind === 'absent' && index >= number);
  }

  #note(what: string): void {
    this.#wrong.push(what);
  }
}
