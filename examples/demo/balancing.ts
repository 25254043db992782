import { setTimeout as sleep } from 'node:timers/promises';
import { getConnection } from '@coord/grpc-resolver';
import { createRegistry, type ServiceRegistry } from '@coord/registry';
import type { Actor } from './actor.js';
import { type Call, Callers, failuresOf } from './callers.js';
import { now } from './clock.js';
import { count, ms, percent, seconds, share } from './format.js';
import { GreeterClient } from './greeter.js';
import { SERVER_TTL_MS, SERVICE, type ServerOrder, type ServerReport } from './messages.js';
import type { Stage } from './stage.js';
import type { Story } from './story.js';
import { until } from './within.js';

const NAMES = ['red', 'green', 'blue'] as const;
const CALLERS = 8;
const PHASE_MS = 1_500;
/** After its removal from etcd a server serves on for this long: callers have to hear of it. */
const KEEP_SERVING_MS = 1_000;
const REMOVAL_HEARD_MS = 500;
const CRASH_FAILURES_MS = 1_000;
/** etcd looks every half second for leases that have ended, and the machine may be busy. */
const EXPIRY_MARGIN_MS = 3_000;

type Server = Actor<ServerOrder, ServerReport>;

/** Act one: a client that follows the servers of a service. */
export async function balancing(stage: Stage): Promise<void> {
  const { client, story, signal } = stage;
  story.act('Calls follow a service: three gRPC servers, one leaves, one is killed');
  const servers = NAMES.map((name) => stage.start<ServerOrder, ServerReport>('./grpc-server.ts', name));
  await Promise.all(servers.map((server) => introduce(server, story)));
  const [stays, leaver, victim] = servers;
  if (stays === undefined || leaver === undefined || victim === undefined) throw new Error('no servers');

  const registry = createRegistry(client);
  const connection = await getConnection(registry, SERVICE, { strategy: 'round_robin' });
  await connection.waitForReady({ timeoutMs: 5_000, signal });
  const callers = new Callers(connection.client(GreeterClient), CALLERS);
  try {
    const answered = () => new Set(callers.calls.map(({ server }) => server)).size === NAMES.length;
    await until('an answer of every server', answered, { signal });
    story.line(
      `${CALLERS} callers call all the time, to the end of this act; failed calls are counted, not retried`,
    );
    await allServe(callers, stage);
    await deregistration(leaver, callers, stage);
    await crash(victim, callers, registry, stage);
    await callers.stop();
    await stays.stop();
  } finally {
    await callers.stop();
    await connection.close();
    await registry.close();
  }
}

async function introduce(server: Server, story: Story): Promise<void> {
  const { port, tookMs } = await server.report('registered');
  story.line(`${server.name.padEnd(5)}  registered 127.0.0.1:${port} in ${ms(tookMs)} (pid ${server.pid})`);
}

async function allServe(callers: Callers, stage: Stage): Promise<void> {
  const { story, signal } = stage;
  const calls = await callsOfAPhase(callers, signal);
  showShares(calls, story);
  const counts = NAMES.map((name) => callsOn(name, calls).length);
  const lowest = Math.min(...counts);
  stage.check({
    act: 'Balancing',
    promise: 'calls spread evenly over three servers',
    measured: `${counts.map(count).join(' / ')}, failures: ${failuresOf(calls)}`,
    kept: lowest >= (0.8 * calls.length) / NAMES.length && failuresOf(calls) === 'none',
  });
}

async function deregistration(leaver: Server, callers: Callers, stage: Stage): Promise<void> {
  const { story, signal } = stage;
  const beganAt = now();
  leaver.order({ type: 'leave', keepServingMs: KEEP_SERVING_MS });
  const { at, tookMs } = await leaver.report('deregistered');
  story.line(
    `${leaver.name} deregisters (${ms(tookMs)}), serves on for ${seconds(KEEP_SERVING_MS)}, then shuts down`,
  );
  const exit = await leaver.exit();
  const calls = await callsOfAPhase(callers, signal);
  showShares(calls, story);

  const since = callers.endedAfter(beganAt);
  const lastFrom = Math.max(beganAt, ...callsOn(leaver.name, since).map(({ from }) => from));
  const lateMs = lastFrom - at;
  const late = lateMs > 0 ? `${ms(lateMs)} after` : `${ms(-lateMs)} before`;
  stage.check({
    act: 'Balancing',
    promise: 'deregistering a server costs no call',
    measured: `${count(since.length)} calls, failures: ${failuresOf(since)}, exit ${exit}`,
    kept: failuresOf(since) === 'none' && exit === 'code 0',
  });
  stage.check({
    act: 'Balancing',
    promise: `no call begins there ${ms(REMOVAL_HEARD_MS)} later`,
    measured: `last call began ${late} its removal`,
    kept: lateMs <= REMOVAL_HEARD_MS,
  });
}

async function crash(
  victim: Server,
  callers: Callers,
  registry: ServiceRegistry,
  stage: Stage,
): Promise<void> {
  const { story, signal } = stage;
  const at = now();
  victim.kill();
  story.line(`${victim.name} is killed (SIGKILL) in the middle of its calls`);
  const listed = async () => (await registry.discover(SERVICE)).some(({ id }) => id === victim.name);
  while ((await listed()) && now() - at < SERVER_TTL_MS + EXPIRY_MARGIN_MS)
    await sleep(20, undefined, { signal });
  const goneMs = now() - at;
  const calls = callers.endedAfter(at);
  const failed = calls.filter(({ failure }) => failure !== undefined);
  const lastMs = Math.max(0, ...failed.map(({ to }) => to - at));
  story.line(
    `first gRPC notices, by its connection: failed calls ${failuresOf(failed)}, the last after ${ms(lastMs)}`,
  );
  story.line(`then etcd, by its lease: ${victim.name} left the list after ${seconds(goneMs)}`);
  showShares(calls, story);
  stage.check({
    act: 'Balancing',
    promise: 'a kill costs only calls under way',
    measured: `${failuresOf(failed)} of ${count(calls.length)}, all within ${ms(lastMs)}`,
    kept:
      lastMs <= CRASH_FAILURES_MS &&
      failed.length <= CALLERS &&
      failed.every(({ failure }) => failure === 'UNAVAILABLE'),
  });
  stage.check({
    act: 'Balancing',
    promise: `a killed server leaves the list (TTL ${seconds(SERVER_TTL_MS)})`,
    measured: `after ${seconds(goneMs)}`,
    kept: !(await listed()),
  });
}

async function callsOfAPhase(callers: Callers, signal: AbortSignal): Promise<Call[]> {
  const from = now();
  await sleep(PHASE_MS, undefined, { signal });
  return callers.endedAfter(from);
}

function callsOn(name: string, calls: readonly Call[]): Call[] {
  return calls.filter(({ server }) => server === name);
}

function showShares(calls: readonly Call[], story: Story): void {
  const row = (name: string, { length }: readonly Call[]) => [
    name,
    count(length).padStart(5),
    percent(length, calls.length).padStart(4),
    share(length, calls.length),
  ];
  const rows = NAMES.map((name) => row(name, callsOn(name, calls)));
  const failed = calls.filter(({ failure }) => failure !== undefined);
  if (failed.length > 0) rows.push(row('failed', failed));
  story.table(['', 'calls', '', ''], rows);
}
