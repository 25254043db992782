import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run-program.js';

/** The commands of a page: the lines of its `sh` blocks that begin with this program. */
export function commandsOf(page: string, program: string): string[][] {
  const blocks = [...read(page).matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block ?? '');
  const lines = blocks.flatMap((block) => block.split('\n'));
  return lines
    .filter((line) => line.startsWith(`${program} `))
    .map((line) =>
      line
        .replace(/ +#.*$/, '')
        .split(/ +/)
        .slice(1),
    );
}

/** The rows of the first table of a page, cell by cell, without its head. */
export function tableOf(page: string): string[][] {
  const [table] = /^\|.*\n\| *-[^\n]*\n(?:\|.*\n)+/m.exec(read(page)) ?? [];
  if (table === undefined) throw new Error(`${page}: there is no table`);
  const rows = table.trimEnd().split('\n').slice(2);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}
