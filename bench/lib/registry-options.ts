import { benchOptions, JSON_FILE } from './options.js';

export type RegistryBenchOptions = ReturnType<typeof registryBenchOptions>;

/** The options of `npm run bench -- registry`. */
export function registryBenchOptions() {
  const own = {
    fleet: { argument: 'N', about: 'instances of the fleet', preset: '10000' },
    go: { argument: 'PATH', about: 'the Go peer: packages/registry/test/go-peer/build.sh PATH' },
    json: JSON_FILE,
  };
  return benchOptions({ bench: 'registry', parts: ['discover', 'fleet'], own }, (given) => ({
    fleet: given.whole('fleet'),
    go: given.text('go'),
    json: given.text('json'),
  }));
}
