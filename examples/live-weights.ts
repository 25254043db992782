/**
 * Live weights: a client balances over servers in processes of their own; their weights change, one is killed, and
 * no call fails.
 *
 *   npm run example -- live-weights
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connect } from '@coord/client';
import { getConnection } from '@coord/grpc-resolver';
import { createRegistry } from '@coord/registry';
import { findEtcd } from './support/etcd.js';
import { GreeterClient } from './support/greeter.js';

await using etcd = await findEtcd();
await using client = await connect({ endpoints: etcd.endpoints });
await using registry = createRegistry(client);

// A name of its own for each run, so that the example can be run twice at once.
const name = `greeter-${process.pid}`;

/** Starts a server's process; resolves when it has registered itself. */
async function start(id: string, weight: number): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./support/greeter-process.ts', import.meta.url));
  const child = fork(program, [name, id, String(weight), etcd.endpoints.join(',')]);
  await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
  return child;
}

const servers = await Promise.all([start('red', 5), start('green', 3), start('blue', 1)]);
const [red, green] = servers;

// --- One connection, shared out by weight -----------------------------------------------------------------

await using connection = await getConnection(registry, name, { strategy: 'weighted', retry: true });
const greeter = connection.client(GreeterClient);

/** Makes rounds of 90 calls until one is shared out like this. Every call must succeed. */
async function callUntil(what: string, expected: Readonly<Record<string, number>>): Promise<void> {
  for (;;) {
    const answers: Record<string, number> = {};
    for (let call = 0; call < 90; call++) {
      const server = await greeter.greet('you');
      answers[server] = (answers[server] ?? 0) + 1;
    }
    const ids = Object.keys(expected);
    if (Object.keys(answers).length !== ids.length || ids.some((id) => answers[id] !== expected[id]))
      continue;
    const shares = ids.map((id) => `${id} ${expected[id]}`).join(', ');
    console.log(`${what.padEnd(24)} -> of 90 calls: ${shares}`);
    return;
  }
}

await callUntil('Weights 5, 3 and 1', { red: 50, green: 30, blue: 10 });

red?.send(1); // The server registers itself again with this weight. Nobody reconnects.
await callUntil('"red" weighs 1', { red: 18, green: 54, blue: 18 });

green?.send(0); // Weight 0: no new calls, as before a restart.
await callUntil('"green" weighs 0', { red: 45, blue: 45 });

red?.send(2);
green?.send(3);
await callUntil('2, 3 and 1', { red: 30, green: 45, blue: 15 });

// A crash. The connection notices at once; etcd would only when the lease ends, seconds later.
green?.kill('SIGKILL');
await callUntil('"green" is killed', { red: 60, blue: 30 });
console.log('\nNot one call failed.');

for (const server of servers) {
  if (server.connected) server.disconnect();
  if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
}
