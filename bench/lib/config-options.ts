import { benchOptions } from './options.js';

export type ConfigBenchOptions = ReturnType<typeof configBenchOptions>;

/** The options of `npm run bench -- config`. */
export function configBenchOptions() {
  const own = {
    managers: { argument: 'N', about: 'in one process', preset: '1000' },
    keys: { argument: 'N', about: 'below the prefix', preset: '100000' },
  };
  const parts = ['read', 'write', 'managers', 'prefix'] as const;
  return benchOptions({ bench: 'config', parts, own }, (given) => ({
    managers: given.whole('managers'),
    keys: given.whole('keys'),
  }));
}
