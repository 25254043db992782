import { benchOptions, GO, JSON_FILE } from './options.js';

export type ClientBenchOptions = ReturnType<typeof clientBenchOptions>;

/** The options of `npm run bench -- client`. */
export function clientBenchOptions() {
  const own = {
    callers: { argument: 'LIST', about: 'how many work at once', preset: '1,64,256' },
    crowd: { argument: 'N', about: 'sessions and watchers held at once', preset: '10000' },
    go: GO,
    json: JSON_FILE,
  };
  return benchOptions({ bench: 'client', parts: ['put', 'get', 'crowd'], own }, (given) => ({
    callers: given.list('callers').map((each) => given.whole('callers', each)),
    crowd: given.whole('crowd'),
    go: given.text('go'),
    json: given.text('json'),
  }));
}
