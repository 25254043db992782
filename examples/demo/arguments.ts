import { parseArgs } from 'node:util';

export const USAGE = `npm run demo [-- --endpoints host:port,host:port]

  --endpoints   play on this etcd instead of starting one; all keys are below a prefix of
                their own, and are removed in the end
  --help        show this

NO_COLOR=1 turns colours off.`;

export interface Arguments {
  /** Where etcd is; undefined = start one. */
  readonly endpoints: readonly string[] | undefined;
  readonly help: boolean;
}

/** @throws {TypeError} for what the demo does not know */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: { endpoints: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  const endpoints = values.endpoints?.split(',').map((endpoint) => endpoint.trim());
  return { endpoints, help: values.help };
}
