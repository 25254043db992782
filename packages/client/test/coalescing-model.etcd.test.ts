import { setImmediate as turn } from 'node:timers/promises';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallOptions, type CoordClient, CoordError, connect, type KV } from '../src/index.js';
import { type Action, type CallRecord, checkHistory, type History } from './coalescing/check-history.js';
import { type ModelKey, type Plain, plainAnswer } from './coalescing/model.js';
import {
  actionOf,
  BASE,
  DENIED,
  type LeaseChoice,
  type PlannedAction,
  type PlannedCall,
  programs,
} from './coalescing/random-calls.js';

/** Give the seed of a failed run to see the same programs again. */
const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.COORD_RUNS ?? 30);

/** An etcd with two clients of one user, and one that sees everything. */
interface World {
  readonly etcd: EtcdServer;
  readonly admin: CoordClient;
  readonly clients: readonly [CoordClient, CoordClient];
  readonly withUsers: boolean;
  readonly foreign: bigint;
}

async function openWorld(withUsers: boolean): Promise<World> {
  const etcd = await startEtcd({ auth: withUsers });
  const admin = await connect(etcd.connectOptions);
  let login: { username?: string; password?: string } = {};
  if (withUsers) {
    for (const args of [
      ['role', 'add', 'part'],
      ['role', 'grant-permission', 'part', 'readwrite', '--prefix=true', BASE],
      ['user', 'add', 'ada:lovelace'],
      ['user', 'grant-role', 'ada', 'part'],
    ]) {
      await etcd.etcdctl(args);
    }
    login = { username: 'ada', password: 'lovelace' };
  }
  const client = () => connect({ endpoints: etcd.endpoints, ...login, requestTimeoutMs: 20_000 });
  const session = await admin.session({ ttlMs: 600_000 });
  await admin.kv.put(`${DENIED}leased`, '', { session });
  return { etcd, admin, clients: [await client(), await client()], withUsers, foreign: session.leaseId };
}

async function closeWorld(world: World | undefined): Promise<void> {
  for (const client of world?.clients ?? []) await client.close();
  await world?.admin.close();
  await world?.etcd.stop();
}

/** What a call may fail with, and whether it has to. */
function expectation(call: PlannedCall, world: World): Pick<CallRecord, 'mayFail' | 'mustFail'> {
  const mayFail = new Set<string>();
  const names = possibleErrors(call.action, world);
  for (const name of names.may) mayFail.add(name);
  if (call.abortAfter !== undefined) mayFail.add('AbortedError');
  return { mayFail: [...mayFail], mustFail: names.must };
}

function possibleErrors(action: PlannedAction, world: World): { may: readonly string[]; must: boolean } {
  const denied = (range: unknown) => JSON.stringify(range).includes(DENIED);
  switch (action.type) {
    case 'bad':
      return { may: ['ValidationError'], must: true };
    case 'get':
    case 'delete':
      return denied(action.range) ? { may: ['PermissionError'], must: true } : { may: [], must: false };
    case 'put': {
      const { key, lease, ignoreValue } = action.put;
      const may = [
        ...(denied(key) || (world.withUsers && (lease === 'foreign' || lease === 'dying'))
          ? ['PermissionError']
          : []),
        ...(lease === 'dead' || lease === 'dying' ? ['NotFoundError'] : []),
        ...(ignoreValue ? ['ValidationError'] : []),
      ];
      return { may, must: denied(key) || lease === 'dead' };
    }
    case 'txn': {
      const inner = [...action.txn.success, ...action.txn.failure].map((each) => possibleErrors(each, world));
      // One key written twice is refused, and only the branch that runs has to find its leases.
      const may = ['ValidationError', ...inner.flatMap(({ may }) => may)];
      return { may: [...new Set(may)], must: false };
    }
  }
}

/** Runs a program and says what is wrong with what came of it. */
async function runProgram(
  world: World,
  program: readonly PlannedCall[],
  coalesce: boolean,
): Promise<readonly string[]> {
  const { admin, clients } = world;
  const { revision: start } = await admin.kv.delete({ prefix: BASE });
  const live = await admin.session({ ttlMs: 600_000 });
  const dying = await admin.session({ ttlMs: 600_000 });
  const leases: Record<LeaseChoice, bigint> = {
    none: 0n,
    live: live.leaseId,
    dying: dying.leaseId,
    dead: 4711n,
    foreign: world.foreign,
  };
  let clock = 0;
  let values = 0;
  let revoking: Promise<void> | undefined;
  const running: Promise<CallRecord>[] = [];
  for (const call of program) {
    const { kv } = clients[call.client];
    const action = actionOf(call.action, leases, () => `v${values++}`);
    const controller = new AbortController();
    const invoked = clock++;
    const options: CallOptions = {
      signal: call.abortAfter === undefined ? undefined : controller.signal,
      coalesce: coalesce && call.coalesce,
      idempotent: call.idempotent,
    };
    const stale = call.serializable && 'get' in action;
    running.push(
      perform(kv, action, options, stale).then((end) => ({
        client: call.client,
        action,
        invoked,
        ended: clock++,
        end,
        stale,
        ...expectation(call, world),
      })),
    );
    if (call.abortAfter !== undefined) void abortLater(controller, call.abortAfter);
    if (call.next === 'a turn') await turn();
    if (call.next === 'await') await running.at(-1);
    if (call.next === 'revoke') revoking ??= dying.close();
  }
  const records = await Promise.all(running);
  await revoking;
  const history = await historySince(admin, start, dying.leaseId);
  await live.close();
  await dying.close();
  return checkHistory(records, history);
}

async function abortLater(controller: AbortController, turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await turn();
  controller.abort();
}

/** The call's end. A read by itself is made as a range, whose answer has a revision. */
async function perform(
  kv: KV,
  action: Action,
  options: CallOptions,
  serializable: boolean,
): Promise<CallRecord['end']> {
  try {
    const { revision, ...result } = await answerOf(kv, action, options, serializable);
    return { type: 'answer', revision, answer: result.answer };
  } catch (error) {
    if (!CoordError.is(error)) throw error;
    return { type: 'error', name: error.name, outcome: error.outcome };
  }
}

async function answerOf(
  kv: KV,
  action: Action,
  options: CallOptions,
  serializable: boolean,
): Promise<{ readonly revision: bigint; readonly answer: Plain }> {
  const answered = (result: Parameters<typeof plainAnswer>[0]) => ({
    revision: result.revision,
    answer: plainAnswer(result),
  });
  if ('get' in action) {
    return answered({
      type: 'get',
      ...(await kv.range(action.get, { ...action.options, ...options, serializable })),
    });
  }
  if ('put' in action) {
    const { key, value, ...fields } = action.put;
    return answered({ type: 'put', ...(await kv.put(key, value, { ...fields, ...options })) });
  }
  if ('delete' in action) {
    return answered({
      type: 'delete',
      ...(await kv.delete(action.delete, { ...options, previous: action.previous })),
    });
  }
  return answered({ type: 'txn', ...(await kv.txn(action.txn, options)) });
}

/** etcd's own account of what happened, from a watch. */
async function historySince(admin: CoordClient, start: bigint, revoked: bigint): Promise<History> {
  const end = await admin.kv.put(`${BASE}zz-end`, '');
  const states: History['states'][number][] = [];
  let state = new Map<string, ModelKey>();
  await using watch = admin.watch({ prefix: BASE }, { startRevision: start + 1n });
  for await (const { revision, events } of watch) {
    if (revision >= end.revision) break;
    state = new Map(state);
    const changed = new Map<string, ModelKey | undefined>();
    for (const { type, key, kv } of events) {
      const now =
        type === 'delete'
          ? undefined
          : {
              value: kv.text(),
              version: kv.version,
              create: kv.createRevision,
              mod: kv.modRevision,
              lease: kv.leaseId,
            };
      changed.set(key, now);
      if (now === undefined) state.delete(key);
      else state.set(key, now);
    }
    states.push({ revision, state, changed });
  }
  return { start, states, revoked };
}

describe.each([false, true])('random programs of concurrent calls, with users: %s', (withUsers) => {
  let world: World | undefined;
  beforeAll(async () => {
    world = await openWorld(withUsers);
  });
  afterAll(() => closeWorld(world));

  it.each([
    ['coalesced', true],
    ['one by one', false],
  ])(`%s: every answer is that of a single call, in order (COORD_SEED=${seed})`, async (_, coalesce) => {
    await fc.assert(
      fc.asyncProperty(programs(withUsers), async (program) => {
        if (world === undefined) throw new Error('no etcd');
        expect(await runProgram(world, program, coalesce)).toEqual([]);
      }),
      // Long enough for every run, and short enough to report what a failure has been shrunk to by then.
      { seed, numRuns, interruptAfterTimeLimit: 45_000 },
    );
  });
});
