import { styleText } from 'node:util';
import type { Check } from './check.js';
import { now } from './clock.js';
import { seconds } from './format.js';

type Style = Parameters<typeof styleText>[0];

/** Tells what happens, line by line, each with the time since the start. */
export class Story {
  readonly #startedAt = now();
  readonly #colours = process.stdout.isTTY === true && !process.env.NO_COLOR;
  #acts = 0;

  get elapsedMs(): number {
    return now() - this.#startedAt;
  }

  title(text: string): void {
    console.log(this.#styled('bold', text));
  }

  act(title: string): void {
    this.#acts += 1;
    console.log(`\n${this.#styled('bold', `${this.#acts}  ${title}`)}`);
  }

  line(text: string): void {
    console.log(`${this.#styled('dim', seconds(this.elapsedMs).padStart(9))}   ${text}`);
  }

  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const [first, ...rest] = aligned([head, ...rows]);
    const indent = ' '.repeat(12);
    console.log(`${indent}${this.#styled('dim', first ?? '')}`);
    for (const row of rest) console.log(`${indent}${row}`);
  }

  /** The last word: each promise and what came of it. */
  summary(checks: readonly Check[]): void {
    console.log(`\n${this.#styled('bold', 'Summary')}`);
    const head = ['act', 'promised', 'measured', ''];
    const rows = checks.map(({ act, promise, measured, kept }, index) => [
      checks[index - 1]?.act === act ? '' : act,
      promise,
      measured,
      kept ? 'ok' : 'BROKEN',
    ]);
    const [first, ...rest] = aligned([head, ...rows]);
    console.log(`  ${this.#styled('dim', first ?? '')}`);
    for (const [index, row] of rest.entries()) {
      console.log(`  ${this.#styled(checks[index]?.kept ? 'green' : 'red', row)}`);
    }
    const broken = checks.filter(({ kept }) => !kept);
    const took = seconds(this.elapsedMs);
    if (broken.length === 0) {
      console.log(this.#styled('bold', `\nAll ${checks.length} promises kept, in ${took}.`));
    } else {
      const names = broken.map(({ act, promise }) => `${act}: ${promise}`).join('; ');
      console.log(
        this.#styled('red', `\n${broken.length} of ${checks.length} promises broken, in ${took}. ${names}`),
      );
    }
  }

  /** What ended the demo, in words: a stack is of no use here. */
  failure(error: unknown): void {
    const text = error instanceof Error ? `${kindOf(error)}${error.message}` : String(error);
    console.error(`\n${this.#styled('red', text)}`);
  }

  #styled(style: Style, text: string): string {
    return this.#colours ? styleText(style, text) : text;
  }
}

/** Rows of text with columns of equal width. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}

function kindOf({ name }: Error): string {
  return name === 'Error' ? '' : `${name}: `;
}
