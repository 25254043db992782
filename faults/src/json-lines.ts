import { existsSync, readFileSync } from 'node:fs';

/** A JSON value a line; the last line of a process that was killed may be cut short, and does not count. */
export function readJsonLines<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  lines.pop(); // nothing, or a line without an end
  return lines.map((line): T => JSON.parse(line));
}
