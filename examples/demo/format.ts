export function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

export function seconds(valueMs: number): string {
  return `${(valueMs / 1_000).toFixed(1)} s`;
}

export function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / Math.max(1, whole))}%`;
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

const WIDTH = 40;

/** A span of time drawn on a line from 0 to `end`. */
export function timeline(from: number, to: number, end: number): string {
  const start = Math.min(WIDTH - 1, Math.floor((from / end) * WIDTH));
  const length = Math.max(1, Math.floor((to / end) * WIDTH) - start);
  return `${'·'.repeat(start)}${'█'.repeat(length)}`.padEnd(WIDTH, '·');
}

/** A share drawn as a bar. */
export function share(part: number, whole: number): string {
  return '█'.repeat(Math.round((part / Math.max(1, whole)) * WIDTH));
}
