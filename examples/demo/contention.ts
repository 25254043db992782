import type { Watch } from '@coord/client';
import type { Actor } from './actor.js';
import { now } from './clock.js';
import { ms, seconds, timeline } from './format.js';
import { COUNTER_KEY, type ContenderOrder, type ContenderReport, type Hold, LOCK } from './messages.js';
import type { Stage } from './stage.js';
import type { Story } from './story.js';
import { until } from './within.js';

const NAMES = ['ana', 'ben', 'cleo', 'dan', 'eve'] as const;
const TURNS = 2;
const HOLD_MS = 40;
/** The shortest that etcd grants with its default settings. */
const SHORT_TTL_MS = 2_000;
/** etcd looks every half second for leases that have ended, and the machine may be busy. */
const HANDOVER_MARGIN_MS = 2_000;
/** Where the waiters' keys are: one key each, in the order of their create revisions. */
const QUEUE = { prefix: `/locks/${LOCK}/` };

type Contender = Actor<ContenderOrder, ContenderReport>;

/** Act two: several processes, one lock. */
export async function contention(stage: Stage): Promise<void> {
  const { client, story, signal } = stage;
  story.act('One lock, five processes');
  const contenders = NAMES.map((name) =>
    stage.start<ContenderOrder, ContenderReport>('./lock-contender.ts', name),
  );
  await Promise.all(contenders.map((contender) => contender.report('ready')));
  story.line(`started: ${contenders.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')}`);

  const joined: string[] = [];
  const queue = client.watch(QUEUE);
  const following = noteJoins(queue, joined);
  following.catch(() => undefined); // told in the end, when it is awaited
  // Whoever did not queue up is found out by the checks.
  const wordOf = (turns: number) =>
    until('word of every turn', () => joined.length >= turns, { signal }).catch(() => undefined);
  try {
    await queue.ready;
    const turns = await takeTurns(contenders, story);
    await wordOf(turns.length);
    const count = Number((await client.kv.get(COUNTER_KEY))?.text());
    checkTurns(stage, turns, joined, count);
    const crash = await crashOfTheHolder(contenders, stage);
    await wordOf(turns.length + 1 + crash.after.length);
    checkHandover(stage, crash, joined.slice(turns.length));
    await Promise.all(contenders.map((contender) => leave(contender)));
  } finally {
    await queue.close();
    await following;
  }
}

/** Who came when, as etcd tells it. */
async function noteJoins(queue: Watch, joined: string[]): Promise<void> {
  for await (const { events } of queue) {
    for (const { type, key, kv } of events) if (type === 'put' && kv.version === 1) joined.push(key);
  }
}

async function takeTurns(contenders: readonly Contender[], story: Story): Promise<Hold[]> {
  const startedAt = now();
  for (const contender of contenders) contender.order({ type: 'contend', times: TURNS, holdMs: HOLD_MS });
  const holds = await reported(contenders, TURNS);
  const tookMs = now() - startedAt;
  story.line(`all want the lock at once, each ${TURNS} times: ${holds.length} turns in ${seconds(tookMs)}`);
  story.table(
    ['turn', 'process', 'fencing token', 'held', 'when'],
    holds.map(({ name, token, from, to }, index) => [
      String(index + 1),
      name,
      String(token),
      ms(to - from),
      timeline(from - startedAt, to - startedAt, tookMs),
    ]),
  );
  story.line(
    'a token is the etcd revision at which its process joined the queue: who came first is served first',
  );
  return holds;
}

interface Crash {
  readonly lost: Hold;
  /** The turns of those who waited behind it. */
  readonly after: readonly Hold[];
  readonly handoverMs: number;
}

async function crashOfTheHolder(
  [victim, ...others]: readonly Contender[],
  { client, story, signal }: Stage,
): Promise<Crash> {
  if (victim === undefined) throw new Error('nobody is there to crash');
  victim.order({ type: 'hold', ttlMs: SHORT_TTL_MS });
  const holding = await victim.report('holding');
  for (const other of others) other.order({ type: 'contend', times: 1, holdMs: HOLD_MS });
  const everybodyIsThere = async () =>
    (await client.kv.range(QUEUE, { countOnly: true })).count === NAMES.length;
  await until('the others to queue up behind the holder', everybodyIsThere, { signal });

  const to = now();
  victim.kill();
  story.line(
    `${victim.name} holds it with token ${holding.token} and is killed (SIGKILL); ${others.length} wait`,
  );
  const after = await reported(others, 1);
  const [next] = after;
  if (next === undefined) throw new Error('nobody got the lock after the crash');
  const handoverMs = next.from - to;
  story.line(
    `${next.name} got it ${seconds(handoverMs)} later with token ${next.token}, then ${after
      .slice(1)
      .map(({ name }) => name)
      .join(', ')}`,
  );
  return { lost: { ...holding, name: victim.name, to }, after, handoverMs };
}

/** What the contenders held, in the order of time. */
async function reported(contenders: readonly Contender[], times: number): Promise<Hold[]> {
  const holds = await Promise.all(
    contenders.flatMap((contender) =>
      Array.from({ length: times }, async () => (await contender.report('held')).hold),
    ),
  );
  return holds.sort((a, b) => a.from - b.from);
}

async function leave(contender: Contender): Promise<void> {
  contender.order({ type: 'leave' });
  await contender.exit();
}

function checkTurns(stage: Stage, holds: readonly Hold[], joined: readonly string[], count: number): void {
  const inOrder = inQueueOrder(holds, joined);
  stage.check({
    act: 'Lock',
    promise: 'first come, first served',
    measured: `${inOrder} of ${holds.length} turns in queue order`,
    kept: inOrder === holds.length,
  });
  const overlaps = overlapsOf(holds);
  stage.check({
    act: 'Lock',
    promise: 'never held twice, no update lost',
    measured: `${overlaps} overlaps, counter ${count} after ${holds.length} updates`,
    kept: overlaps === 0 && count === holds.length,
  });
  const rising = tokensRise(holds);
  stage.check({
    act: 'Lock',
    promise: 'fencing tokens rise',
    measured: `${holds.at(0)?.token} … ${holds.at(-1)?.token}, ${rising ? 'each above the last' : 'not always'}`,
    kept: rising,
  });
}

function checkHandover(stage: Stage, { lost, after, handoverMs }: Crash, joined: readonly string[]): void {
  const holds = [lost, ...after];
  const inOrder = inQueueOrder(holds, joined);
  stage.check({
    act: 'Lock',
    promise: `a crashed holder's lock passes on (TTL ${seconds(SHORT_TTL_MS)})`,
    measured: `after ${seconds(handoverMs)}, ${inOrder} of ${holds.length} turns in queue order`,
    kept:
      handoverMs <= SHORT_TTL_MS + HANDOVER_MARGIN_MS &&
      inOrder === holds.length &&
      overlapsOf(holds) === 0 &&
      tokensRise(holds),
  });
}

/** How many of the holds, in the order of time, have the place at which they joined. */
function inQueueOrder(holds: readonly Hold[], joined: readonly string[]): number {
  return holds.filter(({ etcdKey }, index) => etcdKey === joined[index]).length;
}

function overlapsOf(holds: readonly Hold[]): number {
  return pairs(holds).filter(([a, b]) => b.from < a.to).length;
}

function tokensRise(holds: readonly Hold[]): boolean {
  return pairs(holds).every(([a, b]) => b.token > a.token);
}

function pairs<T>(items: readonly T[]): [T, T][] {
  return items.slice(1).flatMap((item, index) => {
    const before = items[index];
    return before === undefined ? [] : [[before, item] satisfies [T, T]];
  });
}
