/** What somebody installs together, and the program of that name in `consumers` that uses it. */
export interface Subset {
  readonly name: string;
  /** As on the command line of `npm install`. */
  readonly install: readonly string[];
  readonly installDev?: readonly string[];
  /** Every package of Coord that may come along, and no other. */
  readonly coord: readonly string[];
  /** Packages of others that it has no use for. */
  readonly without: readonly string[];
}

const OF_CONFIG = ['ajv', 'diff', 'yaml', '@standard-schema/spec'];
const OF_TESTKIT = ['node-forge', 'testcontainers'];

export const SUBSETS: readonly Subset[] = [
  {
    name: 'client',
    install: ['@coord/client'],
    coord: ['client'],
    without: [...OF_CONFIG, ...OF_TESTKIT],
  },
  {
    name: 'lock',
    install: ['@coord/client', '@coord/lock'],
    coord: ['client', 'lock'],
    without: [...OF_CONFIG, ...OF_TESTKIT],
  },
  {
    name: 'registry-and-grpc-resolver',
    install: ['@coord/client', '@coord/registry', '@coord/grpc-resolver', '@grpc/grpc-js'],
    coord: ['client', 'grpc-resolver', 'registry'],
    without: [...OF_CONFIG, ...OF_TESTKIT],
  },
  {
    name: 'config-manager',
    install: ['@coord/client', '@coord/config', '@coord/config-manager'],
    coord: ['client', 'config', 'config-manager'],
    without: OF_TESTKIT,
  },
  {
    name: 'core',
    install: ['@coord/core', '@grpc/grpc-js'],
    coord: ['client', 'config', 'config-manager', 'core', 'grpc-resolver', 'lock', 'registry'],
    without: OF_TESTKIT,
  },
  {
    name: 'testkit',
    install: ['@coord/client'],
    installDev: ['@coord/testkit'],
    coord: ['client', 'testkit'],
    without: [...OF_CONFIG, 'testcontainers'],
  },
];
