import { type CoordClient, CoordError } from '@coord/client';
import type { Proxy as Line } from '@coord/testkit';
import type { ConfigCenter, ConfigChange, ConfigRelease } from '../../src/index.js';
import { compact } from '../setup.js';
import { type CallRecord, checkCalls, type Done, type Expected } from './check-calls.js';
import { type Action, KEYS, type Step } from './program.js';
import { type LoggedEvent, type Replay, replay } from './replay.js';

export interface Actor {
  readonly config: ConfigCenter;
  readonly line: Line;
}

export interface World {
  /** Sees everything, over a line that is never cut. */
  readonly admin: CoordClient;
  readonly adminConfig: ConfigCenter;
  readonly actors: readonly [Actor, Actor];
  readonly keyPrefix: string;
  readonly depth: number;
}

/** Runs a program, and says what is wrong with what came of it. */
export async function runProgram(world: World, program: readonly Step[]): Promise<readonly string[]> {
  const { admin, adminConfig, actors, keyPrefix, depth } = world;
  const internal = `/coord${keyPrefix}/`;
  const log: { revision: bigint; events: readonly LoggedEvent[] }[] = [];
  await using observer = admin.watch({ prefix: '' as const });
  await observer.ready;
  const observed = (async () => {
    for await (const { revision, events } of observer) {
      const own = events.filter(({ key }) => key.startsWith(`${keyPrefix}/`) || key.startsWith(internal));
      if (own.length > 0) log.push({ revision, events: own });
      if (own.some(({ key }) => key === `${keyPrefix}/end`)) return;
    }
  })();
  await using watch = actors[0].config.watchPrefix('');
  await watch.ready;
  const seen: ConfigChange[] = [];
  const watched = (async () => {
    for await (const change of watch) {
      seen.push(change);
      // After a compaction the end may come together with what else is different.
      if (change.last && seen.some(({ key }) => key === 'end')) return;
    }
  })();

  const calls = await new Program(world).run(program);
  await adminConfig.set('end', 1, { author: 'end' });
  await Promise.all([observed, watched]);

  const result = replay(log, { raw: `${keyPrefix}/`, internal, depth });
  const compacted = program.some(({ action }) => action.type === 'compact');
  return [
    ...result.violations,
    ...checkCalls(calls, result),
    ...checkWatch(seen, result, compacted),
    ...(await checkHistory(adminConfig, result)),
  ];
}

class Program {
  readonly #world: World;
  readonly #running: Promise<CallRecord>[] = [];
  /** The versions and releases that answers have told so far. */
  readonly #versions = new Map<string, number>();
  readonly #revisions = new Map<string, bigint>();
  readonly #releases: ConfigRelease[] = [];
  #values = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async run(program: readonly Step[]): Promise<readonly CallRecord[]> {
    const { actors, admin, keyPrefix } = this.#world;
    let losing: Line | undefined;
    for (const [index, { actor, action, awaited }] of program.entries()) {
      const { line } = actors[actor];
      if (action.type === 'cut') line.cut();
      else if (action.type === 'lose answers') {
        restore(losing);
        losing = line;
        line.blackhole('toClient');
      } else if (action.type === 'compact') await compact(admin);
      else if (action.type === 'outside put') await admin.kv.put(`${keyPrefix}/${action.key}`, this.#value());
      else if (action.type === 'outside delete') await admin.kv.delete(`${keyPrefix}/${action.key}`);
      else {
        const call = this.#call(actors[actor].config, action, `call-${index}`);
        this.#running.push(call);
        if (awaited) {
          if (losing === line) losing = restore(losing);
          await call;
        }
      }
    }
    restore(losing);
    return Promise.all(this.#running);
  }

  #value(): string {
    return `v${this.#values++}`;
  }

  async #call(config: ConfigCenter, action: Action, call: string): Promise<CallRecord> {
    const expected = new Map<string, Expected>();
    const { from, ...rest } = { from: await this.#revision(), call, type: action.type, expected };
    const keys = 'key' in action ? [action.key] : [...KEYS];
    try {
      const done = await this.#perform(config, action, call, expected);
      for (const [key, version] of done.versions) {
        if (version !== undefined) this.#versions.set(key, version);
        if (done.revision !== undefined) this.#revisions.set(key, done.revision);
      }
      return { ...rest, keys, from, to: await this.#revision(), end: { type: 'done', ...done } };
    } catch (error) {
      if (!CoordError.is(error)) throw error;
      const end = { type: 'failed', error: error.name, outcome: error.outcome } as const;
      return { ...rest, keys, from, to: await this.#revision(), end };
    }
  }

  async #revision(): Promise<bigint> {
    return (await this.#world.admin.kv.range('nothing')).revision;
  }

  async #perform(
    config: ConfigCenter,
    action: Action,
    author: string,
    expected: Map<string, Expected>,
  ): Promise<Pick<Done, 'versions' | 'revision'>> {
    const one = ({ key, version, revision }: { key: string; version: number; revision: bigint }) => ({
      versions: new Map([[key, version]]),
      revision,
    });
    const version = (key: string) => this.#versions.get(key) ?? 0;
    switch (action.type) {
      case 'set':
        return one(await config.set(action.key, this.#value(), { author }));
      case 'cas': {
        const { key, off, by } = action;
        const guard =
          by === 'version'
            ? { version: version(key) + off }
            : { revision: (this.#revisions.get(key) ?? 0n) + BigInt(off) };
        expected.set(key, guard);
        return one(await config.set(key, this.#value(), { ...guard, author }));
      }
      case 'delete': {
        const guard = action.guarded ? { version: version(action.key) } : {};
        if (action.guarded) expected.set(action.key, guard);
        const deleted = await config.delete(action.key, { ...guard, author });
        if (!deleted) return { versions: new Map(), revision: undefined };
        // It does not say which version it took; that it took one at all is in the log.
        return { versions: new Map([[action.key, undefined]]), revision: undefined };
      }
      case 'rollback': {
        const past = Math.max(1, version(action.key) - action.back);
        return one(await config.rollback(action.key, past, { author, force: true }));
      }
      case 'adopt':
        return one(await config.adopt(action.key, { author }));
      case 'publish': {
        const changes = action.parts.map((part) => {
          const guard = part.guarded ? { version: version(part.key) } : {};
          if (part.guarded) expected.set(part.key, guard);
          return part.delete
            ? ({ key: part.key, delete: true, ...guard } as const)
            : { key: part.key, value: this.#value(), ...guard };
        });
        return this.#released(await config.publish(changes, { author }));
      }
      case 'revert': {
        const release = this.#releases.at(-1 - action.back);
        for (const { key, to } of release?.changes ?? []) {
          if (!action.force) expected.set(key, { untouchedSince: to });
        }
        return this.#released(await config.revert(release?.id ?? 'none', { author, force: action.force }));
      }
      default:
        throw new TypeError(`not a call: ${action.type}`);
    }
  }

  #released(release: ConfigRelease | undefined) {
    if (release !== undefined) this.#releases.push(release);
    const changes = release?.changes ?? [];
    return { versions: new Map(changes.map(({ key, to }) => [key, to])), revision: release?.revision };
  }
}

function restore(line: Line | undefined): undefined {
  line?.cut();
  line?.heal();
}

/** Every change once and in order; after a compaction some may be missing, the last of each key never. */
function checkWatch(
  seen: readonly ConfigChange[],
  { states }: Replay,
  compacted: boolean,
): readonly string[] {
  const problems: string[] = [];
  for (const [key, logged] of states) {
    const changes = seen.filter((change) => change.key === key);
    // A removal of what was absent is no event.
    const expected = logged
      .slice(1)
      .filter(({ text }, i) => text !== undefined || logged[i]?.text !== undefined);
    const facts = changes.map(({ revision, version, external, value, type }) =>
      compacted && type === 'delete'
        ? `gone`
        : `${revision}: ${type === 'delete' ? 'gone' : value} v${version} ${external}`,
    );
    const wanted = expected.map(({ revision, text, version, external }) =>
      compacted && text === undefined ? 'gone' : `${revision}: ${text ?? 'gone'} v${version} ${external}`,
    );
    if (!compacted && facts.join('\n') !== wanted.join('\n')) {
      problems.push(`the watch of ${key} told\n${facts.join('\n')}\ninstead of\n${wanted.join('\n')}`);
    }
    const unknown = facts.filter((fact) => !wanted.includes(fact));
    if (unknown.length > 0) problems.push(`the watch of ${key} told what never was: ${unknown}`);
    if (
      wanted.length > 0 &&
      facts.at(-1) !== wanted.at(-1) &&
      !(wanted.at(-1) === 'gone' && facts.length === 0)
    ) {
      problems.push(`the watch of ${key} ended at ${facts.at(-1)}, not at ${wanted.at(-1)}`);
    }
    const revisions = changes.map(({ revision }) => revision);
    if (revisions.some((revision, i) => i > 0 && revision <= (revisions[i - 1] ?? 0n))) {
      problems.push(`the watch of ${key} went back`);
    }
  }
  return problems;
}

async function checkHistory(config: ConfigCenter, { history }: Replay): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const key of KEYS) {
    const told = (await config.getHistory(key, { limit: 1_000 })).map(({ version, value }) => [
      version,
      value ?? '',
    ]);
    const logged = (history.get(key) ?? []).map(({ version, text }) => [version, text]);
    if (JSON.stringify(told) !== JSON.stringify(logged)) {
      problems.push(`the history of ${key} is ${JSON.stringify(told)}, not ${JSON.stringify(logged)}`);
    }
  }
  return problems;
}
