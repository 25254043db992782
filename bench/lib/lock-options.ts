import { benchOptions, GO } from './options.js';

export type LockBenchOptions = ReturnType<typeof lockBenchOptions>;

/** The options of `npm run bench -- lock`. */
export function lockBenchOptions() {
  const parts = ['free', 'rate', 'clients', 'tasks'] as const;
  return benchOptions({ bench: 'lock', parts, own: { go: GO } }, (given) => ({ go: given.text('go') }));
}
