/** So often, at the least, what was noted is written. */
const WRITE_MS = 100;
const MOST = 500;

/** Collects small notes about many things: a line in the history for each would be slow, and long. */
export class Notebook<Note> {
  readonly #write: (about: string, notes: readonly Note[]) => void;
  readonly #timer: NodeJS.Timeout;
  #notes = new Map<string, Note[]>();
  #count = 0;

  constructor(write: (about: string, notes: readonly Note[]) => void) {
    this.#write = write;
    this.#timer = setInterval(() => this.flush(), WRITE_MS);
  }

  note(about: string, note: Note): void {
    const notes = this.#notes.get(about) ?? [];
    if (notes.length === 0) this.#notes.set(about, notes);
    notes.push(note);
    this.#count += 1;
    if (this.#count >= MOST) this.flush();
  }

  /** Before a moment at which the process may be killed. */
  flush(): void {
    const notes = this.#notes;
    this.#notes = new Map();
    this.#count = 0;
    for (const [about, some] of notes) this.#write(about, some);
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
  }
}
