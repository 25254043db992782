const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint = (code, text) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);

/** Something that went wrong and that the reader can mend: a message, the output's tail and what to do. */
export class Failure extends Error {
  name = 'Failure';
  constructor(message, { remedy, tail, cause } = {}) {
    super(message, { cause });
    this.remedy = remedy;
    this.tail = tail;
  }
}

export function say(text) {
  console.log(text);
}

/** Runs one named piece of the set-up; says when it starts and how long it took. */
export async function step(title, work) {
  const started = performance.now();
  console.log(`${paint('36', '•')} ${title}`);
  const note = await work();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${paint('32', '✓')} ${title}: ${note ? `${note}, ` : ''}${seconds} s`);
}

/** A line of progress inside a step. */
export function detail(text) {
  console.log(`  ${paint('2', text)}`);
}

export function reportFailure(error) {
  if (!(error instanceof Failure)) {
    console.error(`${paint('31', '✗')} Unexpected failure of the workspace's own scripts:`);
    console.error(error);
    return;
  }
  if (error.tail) console.error(`\n${error.tail}\n`);
  console.error(`${paint('31', '✗')} ${error.message}`);
  if (error.remedy) console.error(`  What to do: ${error.remedy}`);
}
