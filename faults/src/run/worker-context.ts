import type { Shapes } from '../operation.js';
import { randomOf } from '../random.js';
import { Recorder } from '../recorder.js';
import type { Assignment, Command, Moment, Report } from './messages.js';

/** What a worker has at hand. */
export class WorkerContext<S extends Shapes> {
  readonly assignment: Assignment;
  readonly recorder: Recorder<S>;
  /** The same numbers for the same seed and process. */
  readonly random: () => number;
  readonly #stopped = new AbortController();
  readonly #waiting = new Map<number, () => void>();
  #moments = 0;

  constructor(assignment: Assignment) {
    this.assignment = assignment;
    this.random = randomOf(assignment.seed, assignment.process);
    this.recorder = new Recorder(assignment.historyFile, (name, outcome, input) =>
      tell({ type: 'returned', name, outcome, ...scopeOf(input) }),
    );
    process.on('message', (command: Command) => {
      if (command.type === 'stop') this.#stopped.abort();
      else this.#waiting.get(command.id)?.();
    });
    process.once('disconnect', () => process.exit(1)); // the run is gone
  }

  /** Aborts when the worker has to come to an end. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** Whether the worker has to make this mistake; a variant may name several. */
  isPlanted(mistake: string): boolean {
    return this.assignment.variant.split(' + ').includes(mistake);
  }

  /** A moment at which things may go wrong: the run is told, and lets it go on when it has done its worst. */
  async at(point: string, where: Pick<Moment, 'scope' | 'part'> = {}): Promise<void> {
    this.#moments += 1;
    const id = this.#moments;
    const told = new Promise<void>((resolve) => this.#waiting.set(id, resolve));
    tell({ type: 'at', point, id, ...where });
    await told;
    this.#waiting.delete(id);
  }
}

/** Operations of which some go on while others wait name their `scope`. */
function scopeOf(input: object): { readonly scope?: string } {
  return 'scope' in input && typeof input.scope === 'string' ? { scope: input.scope } : {};
}

export function tell(report: Report): void {
  process.send?.(report);
}
