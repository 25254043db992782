import { CalledError } from '@coord/hostile-values';
import { call, type Ending, letGo } from './call.js';
import type { Hostile } from './hostile-inputs.js';
import { complaint, isRefusal } from './judge.js';
import { reaches, withValueAt } from './places.js';
import type { PublicFunction } from './public-functions.js';
import type { Recipe } from './recipe.js';

/** What a function did wrong. */
export interface Finding {
  readonly name: string;
  readonly place: string;
  readonly value: string;
  readonly what: string;
}

/** Input that was refused: made again, it must be refused again, and leave no trace. */
export interface Refused {
  readonly fuzz: FunctionFuzz;
  readonly args: () => readonly unknown[];
}

/** What no place is content with: so a place that is, has not been looked at. */
const SYMBOL: Hostile = { name: 'a symbol', value: Symbol('s') };
const UNKNOWN = 'noSuchName';
/** Of what waits for something that does not happen. */
const WAITING_MS = 100;

/** Calls one public function with its good input, in which it replaces one thing after the other. */
export class FunctionFuzz {
  readonly findings: Finding[] = [];
  readonly refused: Refused[] = [];
  calls = 0;
  readonly #function: PublicFunction;
  readonly #recipe: Recipe;
  readonly #method: string;
  #on: unknown;

  constructor(publicFunction: PublicFunction, recipe: Recipe) {
    this.#function = publicFunction;
    this.#recipe = recipe;
    this.#method = publicFunction.name.split(/[ .]/).at(-1) ?? '';
  }

  /** Good input is good. */
  async tryGood(): Promise<void> {
    for (const good of this.#variants) {
      const ending = await this.#call(good);
      if (isRefusal(ending)) this.#note('', 'good input', ending, 'refuses good input');
    }
  }

  /** @param choose the values for a place */
  async run(choose: (place: string) => readonly Hostile[]): Promise<void> {
    for (const place of this.#function.places) {
      for (const hostile of choose(place)) await this.tryValue(place, hostile);
      if (this.#recipe.anything?.test(place) !== true) await this.tryValue(place, SYMBOL, true);
    }
    for (const record of this.#function.records) {
      if (this.#recipe.anything?.test(`${record}.`) === true) continue;
      await this.tryValue(`${record}.${UNKNOWN}`, { name: 'an unknown name', value: 1 }, true);
    }
  }

  /** @param mustRefuse whether it is a finding that the value is taken */
  async tryValue(place: string, { name, value }: Hostile, mustRefuse = false): Promise<void> {
    const good = this.#variants.find((args) => reaches(args(), place)) ?? this.#variants[0];
    if (good === undefined) return;
    const args = () => withValueAt(good(), place, value);
    const ending = await this.#call(args);
    if (isRefusal(ending)) this.refused.push({ fuzz: this, args });
    else if (mustRefuse) this.#note(place, name, ending, 'does not refuse it');
    const what = complaint(ending);
    if (what !== undefined && !(ending.type === 'hanging' && this.#recipe.waits === true)) {
      this.#note(place, name, ending, what);
    }
  }

  /** The same call again, which must not be carried out; perhaps there is more against it by now. */
  async again(args: () => readonly unknown[]): Promise<void> {
    const ending = await this.#call(args);
    if (ending.type !== 'error') this.#note('', 'what it has refused', ending, 'does not refuse it again');
  }

  /** Lets go of what the function was called on. */
  async end(): Promise<void> {
    const on = this.#on;
    this.#on = undefined;
    if (this.#recipe.usesUp === true) await letGo(on);
  }

  get #variants(): readonly (() => readonly unknown[])[] {
    return this.#recipe.args ?? [() => []];
  }

  async #call(args: () => readonly unknown[]): Promise<Ending> {
    this.calls += 1;
    this.#on ??= await this.#recipe.on();
    const on = this.#on;
    const ending = await call(on, this.#method, args(), this.#recipe.waits === true ? WAITING_MS : undefined);
    if (ending.type === 'result') await letGo(ending.result);
    if (ending.type !== 'error' && this.#recipe.usesUp === true) await this.end();
    return ending;
  }

  #note(place: string, value: string, ending: Ending, what: string): void {
    // What the caller's own function throws is his.
    if (ending.type === 'error' && ending.error instanceof CalledError) return;
    this.findings.push({ name: this.#function.name, place, value, what });
  }
}
