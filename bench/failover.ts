/** What callers of a service feel when a server leaves, dies, freezes or is cut off, or etcd does. See README.md. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@coord/client';
import { getConnection, setServiceConfig } from '@coord/grpc-resolver';
import { createRegistry } from '@coord/registry';
import { eventually, startCluster } from '@coord/testkit';
import { EVENTS, type EventName, type FailoverEvent } from './lib/failover-events.js';
import { Fleet } from './lib/failover-fleet.js';
import { failoverOptions } from './lib/failover-options.js';
import { type FailoverRow, figuresOf, printFailover, printFailoverAims } from './lib/failover-report.js';
import { OpenLoop } from './lib/open-loop.js';

const SERVICE = 'bench';
const SERVERS = 5;
const TTL_MS = 3_000;
const DEADLINE_MS = 1_000;
const STEADY_MS = 1_000;

const options = failoverOptions();
const say = (line: string) => console.error(`  ${line}`);

await using cluster = await startCluster();
await using client = await connect(cluster.connectOptions);
await using registry = createRegistry(client, { ttlMs: TTL_MS });
await using fleet = await Fleet.start({
  service: SERVICE,
  size: SERVERS,
  ttlMs: TTL_MS,
  endpoints: cluster.endpoints,
});

if (options.hedgeMs > 0) {
  const hedgingPolicy = {
    maxAttempts: 3,
    hedgingDelay: `${options.hedgeMs / 1_000}s`,
    nonFatalStatusCodes: ['UNAVAILABLE'],
  } as const;
  await setServiceConfig(registry, SERVICE, { methodConfig: [{ name: [{}], hedgingPolicy }] });
}

const loads = await Promise.all(
  options.strategies.flatMap((strategy) =>
    [false, true].map(async (retry) => {
      const channelOptions = {
        'grpc.use_local_subchannel_pool': 1, // each load on connections of its own
        ...(options.keepAliveMs > 0 && {
          'grpc.keepalive_time_ms': options.keepAliveMs,
          'grpc.keepalive_timeout_ms': options.keepAliveMs,
        }),
      };
      const connection = await getConnection(registry, SERVICE, { strategy, retry, channelOptions });
      await connection.waitForReady({ timeoutMs: 10_000 });
      return { strategy, retry, connection };
    }),
  ),
);

const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`;
console.log(
  `${SERVERS} servers (TTL ${TTL_MS / 1_000} s), 3 × etcd ${cluster.members[0]?.version}, Node ${process.version}, ${machine}; ` +
    `${loads.length} loads of ${options.rate} calls a second, deadline ${DEADLINE_MS} ms, keepalive ${options.keepAliveMs || 'off'}` +
    (options.hedgeMs > 0 ? `, hedged after ${options.hedgeMs} ms (in place of retry)` : ''),
);

const rows: FailoverRow[] = [];
for (const name of options.events) rows.push(...(await observe(name)));
console.log('');
printFailover(rows);
console.log('');
printFailoverAims(rows);
if (options.json !== undefined) {
  const run = { etcd: cluster.members[0]?.version, node: process.version, machine, ...options, rows };
  await writeFile(options.json, `${JSON.stringify(run, undefined, 2)}\n`);
}
for (const { connection } of loads) await connection.close();

/** All loads see the same event. */
async function observe(name: EventName): Promise<FailoverRow[]> {
  const event: FailoverEvent = EVENTS[name];
  const scene = { cluster, fleet };
  const victim = await event.victim?.(scene);
  const running = loads.map((load) => ({
    ...load,
    loop: new OpenLoop(load.connection, { perSecond: options.rate, deadlineMs: DEADLINE_MS }),
  }));
  await eventually(
    () => {
      for (const { loop } of running) {
        const lately = new Set(loop.calls.slice(-options.rate).map(({ peer }) => peer));
        const reached = fleet.servers.filter(({ address }) => lately.has(address)).length;
        if (reached < SERVERS) throw new Error(`${name}: ${reached} of ${SERVERS} servers are called`);
      }
    },
    { timeoutMs: 30_000 },
  );
  await sleep(STEADY_MS);

  say(event.title);
  const leaving = new AbortController();
  const offList = victim && leftList(victim.id, leaving.signal);
  const struckAt = performance.now();
  await event.strike(scene, victim);
  await sleep(options.seconds * 1_000);
  leaving.abort();
  const offListAt = await offList;
  await Promise.all(running.map(({ loop }) => loop.stop()));
  await event.mend(scene, victim);
  return running.map(({ loop, strategy, retry }) => ({
    ...{ event: name, title: event.title, strategy, retry },
    ...figuresOf({ calls: loop.calls, struckAt, victim: victim?.address, offListAt }),
  }));
}

/** When this process has heard that the instance is gone; undefined when it has not. */
async function leftList(id: string, signal: AbortSignal): Promise<number | undefined> {
  const lists = registry.watchInstances(SERVICE);
  signal.addEventListener('abort', () => void lists.close());
  for await (const list of lists) {
    if (!list.some((instance) => instance.id === id)) return performance.now();
  }
  return undefined;
}
