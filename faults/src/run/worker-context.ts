import type { Shapes } from '../operation.js';
import { randomOf } from '../random.js';
import { Recorder } from '../recorder.js';
import type { Assignment, Command, Report } from './messages.js';

/** What a worker has at hand. */
export class WorkerContext<S extends Shapes> {
  readonly assignment: Assignment;
  readonly recorder: Recorder<S>;
  /** The same numbers for the same seed and process. */
  readonly random: () => number;
  readonly #stopped = new AbortController();
  #goOn: (() => void) | undefined;

  constructor(assignment: Assignment) {
    this.assignment = assignment;
    this.random = randomOf(assignment.seed, assignment.process);
    this.recorder = new Recorder(assignment.historyFile, (name, outcome) =>
      tell({ type: 'returned', name, outcome }),
    );
    process.on('message', (command: Command) => {
      if (command === 'stop') this.#stopped.abort();
      else this.#goOn?.();
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
  async at(point: string): Promise<void> {
    const told = new Promise<void>((resolve) => {
      this.#goOn = resolve;
    });
    tell({ type: 'at', point });
    await told;
  }
}

export function tell(report: Report): void {
  process.send?.(report);
}
