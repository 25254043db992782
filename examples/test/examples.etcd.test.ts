import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT, runProgram } from './run-program.js';

/** For each example the lines that it is about, in order. */
const DECISIVE: Readonly<Record<string, readonly string[]>> = {
  lock: [
    'ana: I have the lock.',
    'eve: Taken, so I do something else meanwhile: "report of today" is running.',
    'ben: Now it is mine.',
    'ben: My token is higher than the one before: true.',
    'ben: I tried to write all the same, and was refused.',
    'In etcd: the report of eve.',
  ],
  registry: [
    'At first                     -> nobody',
    '"two" registers              -> one, two',
    '"one" is in maintenance      -> two',
    '… and still registered       -> one is maintenance, two is healthy',
    '"three" fails its checks     -> one, two',
    '"three" passes again         -> one, three, two',
    'In zone eu-1: two at 10.0.0.2:8080',
    '"three" is drained           -> one, two',
    '"two" deregisters            -> one',
    'The services shut down       -> nobody',
  ],
  config: [
    "eve's write was refused: she knew version 1, it is 2 now",
    '  4  rollback by ana  {"port":9090,"timeoutMs":1000}  one millisecond is too short',
    '  1  put      by ana  {"port":8080,"timeoutMs":1000}  first',
    '  create to version 1: port 8080, 1000 ms',
    '  update to version 3: port 9090, 1 ms',
    '  delete to version 5',
  ],
  'config-manager': [
    "Before the start: { greeting: 'hello', maxConnections: 100 }",
    "Version 1 from etcd: { greeting: 'good morning', maxConnections: 100 }",
    "Version 2, without a restart: { greeting: 'good evening', maxConnections: 500 }",
    'Version 3 is refused: maxConnections must be at least 1',
    'Still version 2, and the server says: good evening',
  ],
  'grpc-resolver': [
    'Two instances            -> answered by green and red',
    '"blue" comes             -> answered by blue and green and red',
    '"red" deregisters        -> answered by blue and green',
    '"green" in maintenance   -> answered by blue',
    'Not one call failed.',
  ],
  'live-weights': [
    'Weights 5, 3 and 1       -> of 90 calls: red 50, green 30, blue 10',
    '"red" weighs 1           -> of 90 calls: red 18, green 54, blue 18',
    '"green" weighs 0         -> of 90 calls: red 45, blue 45',
    '2, 3 and 1               -> of 90 calls: red 30, green 45, blue 15',
    '"green" is killed        -> of 90 calls: red 60, blue 30',
    'Not one call failed.',
  ],
  'service-config': [
    'One of two servers is sick   -> of 30 calls 15 fail',
    'A retry policy is stored     -> of 30 calls 0 fail',
    'The good one stays           -> of 30 calls 0 fail',
    'It is deleted                -> of 30 calls 15 fail',
  ],
};

let etcd: EtcdServer;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd?.stop();
});

it('knows every example', () => {
  const files = readdirSync(join(ROOT, 'examples')).filter((file) => file.endsWith('.ts'));
  expect(files.sort()).toEqual(
    Object.keys(DECISIVE)
      .map((name) => `${name}.ts`)
      .sort(),
  );
});

it.each(Object.keys(DECISIVE))('%s', async (name) => {
  const end = await runProgram(join(ROOT, 'examples', `${name}.ts`), {
    COORD_ENDPOINTS: etcd.endpoints.join(','),
  });
  expect(end.exitCode, end.stdout + end.stderr).toBe(0);
  const lines = DECISIVE[name] ?? [];
  const printed = end.stdout.split('\n').filter((line) => lines.includes(line));
  expect(printed, end.stdout).toEqual(lines);
});

it('starts an etcd of its own when none is named, and ends it', async () => {
  const end = await runProgram(join(ROOT, 'examples', 'config.ts'), { COORD_ENDPOINTS: undefined });
  expect(end.exitCode, end.stdout + end.stderr).toBe(0);
  const [, endpoint] = /\(started etcd .* at (http:\S+) for this example\)/.exec(end.stdout) ?? [];
  expect(endpoint).toBeDefined();
  await expect(fetch(`${endpoint}/version`)).rejects.toThrow();
});
