import { killedAt, QuietTime } from '../registry/quiet-time.js';
import type { FaultEntry } from '../run/fault-log.js';
import type { Violation } from '../violation.js';
import type { ResolverOperation } from './resolver-operations.js';

/** Of gRPC. */
const DEADLINE_EXCEEDED = 4;
/** How long after a server was killed or frozen calls to it may still begin. */
const NOTICED_WITHIN_MS = 2_000;
/**
 * How long a channel may take to connect to an address that it is given, on a busy machine. If it had none that it could connect
 * to, calls fail until then: https://github.com/grpc/proposal/blob/master/A62-pick-first.md
 */
const CONNECTED_WITHIN_MS = 3_000;
/** So long callers have to hear of a departure before the server stops, while nothing fails: it is what a drain waits. */
const HEARD_WITHIN_MS = 1_000;

export interface CallsReport {
  readonly violations: readonly Violation[];
  /** Calls that failed, by what explains it. */
  readonly explained: ReadonlyMap<Explanation, number>;
}

type Explanation =
  | 'server was killed'
  | 'server was frozen'
  | 'caller was frozen'
  | 'clock was set'
  | 'departure was unheard of'
  | 'nobody was there';

interface Server {
  readonly process: string;
  readonly address: string;
  readonly servesAt: number;
  readonly departsAt: number;
  readonly killedAt: number;
}

interface Call {
  readonly process: string;
  readonly from: number;
  readonly to: number;
  readonly code: number;
  readonly address: string | undefined;
  /** The addresses that its channel had been given in time, and was given still until the call had failed. */
  readonly named: readonly string[];
}

/**
 * S2: a call fails only if the server that it went to was killed or frozen while it was under way or just before, or
 * had departed when etcd could not tell the caller so; if its caller was frozen, or its deadline passed as the wall clock was set;
 * or if it went nowhere, since nobody was alive whom the channel had been told of. So no call fails for what becomes
 * of etcd alone, and none for a server that has departed as it should.
 */
export function checkCalls(
  history: readonly ResolverOperation[],
  faults: readonly FaultEntry[],
): CallsReport {
  const servers = serversOf(history, faults);
  const violations: Violation[] = [];
  const explained = new Map<Explanation, number>();
  const quiet = new QuietTime(faults);
  const given = givenTo(history);
  for (const { name, process, input, output, invokedAt: from, returnedAt: to } of history) {
    if (name !== 'call' || output === undefined || output.code === 0) continue;
    const named = namedFrom(given.get(input.connection) ?? [], from - CONNECTED_WITHIN_MS * 1_000, to);
    const call = { process, from, to, code: output.code, address: output.address, named };
    const why = explanationOf(call, servers, faults, quiet);
    if (why !== undefined) explained.set(why, (explained.get(why) ?? 0) + 1);
    else {
      const where =
        output.address === undefined ? 'which went nowhere' : `to ${whoIs(output.address, servers)}`;
      const what = `a call of ${input.connection}, ${where}, failed with ${output.code}: ${output.details}`;
      violations.push({ invariant: 'S2', what });
    }
  }
  return { violations, explained };
}

interface Given {
  readonly at: number;
  readonly addresses: readonly string[];
}

/** By channel, in their order. */
function givenTo(history: readonly ResolverOperation[]): Map<string, Given[]> {
  const given = new Map<string, Given[]>();
  for (const { name, input, output, invokedAt: at } of history) {
    if (name !== 'list' || output === undefined) continue;
    const before = given.get(input.view) ?? [];
    before.push({ at, addresses: output.instances });
    given.set(input.view, before);
  }
  return given;
}

/** Those that were in every list in force between two moments. */
function namedFrom(given: readonly Given[], from: number, to: number): readonly string[] {
  const first = given.findLastIndex(({ at }) => at <= from);
  if (first < 0) return [];
  const inForce = given.slice(first).filter(({ at }) => at <= to);
  return inForce.reduce<readonly string[]>(
    (named, { addresses }) => named.filter((address) => addresses.includes(address)),
    given[first]?.addresses ?? [],
  );
}

function explanationOf(
  call: Call,
  servers: readonly Server[],
  faults: readonly FaultEntry[],
  quiet: QuietTime,
): Explanation | undefined {
  if (isFrozen(faults, call.process, call)) return 'caller was frozen';
  if (call.code === DEADLINE_EXCEEDED && isClockSet(faults, call)) return 'clock was set';
  if (call.address === undefined)
    return isSomebodyThere(call, servers, faults) ? undefined : 'nobody was there';
  const noticed = { from: call.from - NOTICED_WITHIN_MS * 1_000, to: call.to };
  for (const server of servers) {
    if (server.address !== call.address || server.servesAt > call.to) continue;
    if (server.killedAt >= noticed.from && server.killedAt <= noticed.to) return 'server was killed';
    if (isFrozen(faults, server.process, noticed)) return 'server was frozen';
    if (isUnheardOf(call, server, quiet)) return 'departure was unheard of';
  }
  return undefined;
}

/** It departs, but etcd could not tell the caller so: the caller has not had the time of a drain in which nothing failed. */
function isUnheardOf(call: Call, { address, departsAt }: Server, quiet: QuietTime): boolean {
  if (departsAt > call.from || !call.named.includes(address)) return false;
  return quiet.between(departsAt, call.from, call.process) < HEARD_WITHIN_MS * 1_000;
}

/** Somebody that the caller was told of, and who took calls from its beginning to its end. */
function isSomebodyThere(call: Call, servers: readonly Server[], faults: readonly FaultEntry[]): boolean {
  return servers.some(({ process, address, servesAt, departsAt, killedAt }) => {
    const serves = servesAt <= call.from && Math.min(departsAt, killedAt) > call.to;
    return call.named.includes(address) && serves && !isFrozen(faults, process, call);
  });
}

function isFrozen(
  faults: readonly FaultEntry[],
  process: string,
  { from, to }: { readonly from: number; readonly to: number },
): boolean {
  return faults.some(({ kind, where, beganAt, endedAt }) => {
    const freezes = kind === 'freeze' || kind === 'freeze amid' || kind === 'compaction';
    return freezes && where.worker === process && beganAt <= to && endedAt >= from;
  });
}

/** Deadlines are moments of the wall clock: https://github.com/grpc/grpc-node/blob/master/packages/grpc-js/src/deadline.ts */
function isClockSet(faults: readonly FaultEntry[], { from, to }: Call): boolean {
  return faults.some(
    ({ kind, beganAt, endedAt }) => kind.startsWith('clock ') && beganAt <= to && endedAt >= from,
  );
}

function serversOf(history: readonly ResolverOperation[], faults: readonly FaultEntry[]): Server[] {
  const departures = history.flatMap(({ name, process, input, invokedAt }) =>
    name === 'depart' ? [{ process, address: input.address, at: invokedAt }] : [],
  );
  return history.flatMap(({ name, process, input, invokedAt }) => {
    if (name !== 'serve') return [];
    const { address } = input;
    const departure = departures.find((each) => each.process === process && each.address === address);
    return [
      {
        ...{ process, address, servesAt: invokedAt, killedAt: killedAt(faults, process) },
        departsAt: departure?.at ?? Number.POSITIVE_INFINITY,
      },
    ];
  });
}

function whoIs(address: string, servers: readonly Server[]): string {
  const server = servers.findLast((each) => each.address === address);
  if (server === undefined) return `${address}, which nobody serves`;
  const departed = Number.isFinite(server.departsAt) ? ', which has departed' : '';
  return `${server.process} at ${address}${departed}`;
}
