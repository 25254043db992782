import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Watch } from '@coord/client';
import * as global from '@coord/core/global';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FunctionFuzz } from '../src/fuzz/fuzz-function.js';
import { HOSTILE, type Hostile, LARGE } from '../src/fuzz/hostile-inputs.js';
import { publicFunctions } from '../src/fuzz/public-functions.js';
import { allRecipes, LEFT_OUT } from '../src/fuzz/recipes/all-recipes.js';
import { openStage, type Stage } from '../src/fuzz/stage.js';
import { leaksIn, leftBehind } from '../src/run/leaks.js';

/** `COORD_SEED` repeats a run; `COORD_RUNS` says how many values a place is tried with, `all` of them if it is 0. */
const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);
const runs = Number(process.env.COORD_RUNS ?? 1);
const FUNCTIONS = publicFunctions();
const isLeftOut = (name: string) => LEFT_OUT.some((each) => each.name.test(name));

const folder = mkdtempSync(join(tmpdir(), 'coord-fuzz-'));
const before = process.cwd();
const complaints: unknown[] = [];
const note = (reason: unknown) => complaints.push(reason);
let stage: Stage;

beforeAll(async () => {
  process.chdir(folder); // files that are asked for are made here
  process.on('unhandledRejection', note).on('uncaughtException', note).on('warning', note);
  stage = await openStage();
});
afterAll(async () => {
  await stage?.etcd.stop();
  process.off('unhandledRejection', note).off('uncaughtException', note).off('warning', note);
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

/** Values for a place. Those of files do not lead out of the folder of this test. */
function choose(name: string, place: string): readonly Hostile[] {
  const isPath = /(snapshot|File|Directory)/.test(place);
  const good = isPath ? HOSTILE.filter(({ value }) => !String(describeText(value)).includes('/')) : HOSTILE;
  if (runs === 0) return good;
  const own = [...`${name} ${place}`].reduce((sum, { length }, i) => sum * 31 + length + i, seed);
  return fc.sample(fc.constantFrom(...good), { numRuns: runs, seed: own % 2 ** 31 });
}

const describeText = (value: unknown) => (typeof value === 'string' ? value : '');

describe(`every public function, with hostile values at every place (COORD_SEED=${seed})`, () => {
  it('is called, or left out by name', () => {
    expect(FUNCTIONS.length).toBeGreaterThan(200);
    const recipes = Object.keys(allRecipes(stage));
    const names = FUNCTIONS.map(({ name }) => name);
    expect(names.filter((name) => !isLeftOut(name) && !recipes.includes(name))).toEqual([]);
    expect(recipes.filter((name) => !names.includes(name))).toEqual([]);
    for (const { name } of LEFT_OUT) expect(names.some((each) => name.test(each))).toBe(true);
  });

  const TIME = { timeout: runs === 1 ? 180_000 : 7_200_000 };
  it('succeeds or ends with a documented error, in time; what is refused leaves no trace', TIME, async () => {
    const recipes = allRecipes(stage);
    const all: FunctionFuzz[] = [];
    const called = new Set<string>();
    for (const each of FUNCTIONS) {
      const recipe = recipes[each.name];
      if (recipe === undefined) continue;
      const fuzz = new FunctionFuzz(each, recipe);
      all.push(fuzz);
      await fuzz.tryGood();
      await fuzz.run((place) => choose(each.name, place));
      called.add(each.name);
    }
    expect(all.flatMap(({ findings }) => findings)).toEqual([]);
    expect(FUNCTIONS.filter(({ name }) => !called.has(name) && !isLeftOut(name))).toEqual([]);

    const refused = all.flatMap((fuzz) => fuzz.refused);
    expect(refused.length).toBeGreaterThan(1_000);
    const again = async () => {
      for (const { fuzz, args } of refused) await fuzz.again(args);
    };
    expect(await changesOf(again)).toEqual([]);
    expect(all.flatMap(({ findings }) => findings)).toEqual([]);
    for (const fuzz of all) await fuzz.end();
    expect(complaints).toEqual([]);
  });

  it('takes large values, or says that they are too large', TIME, async () => {
    const recipes = allRecipes(stage);
    for (const [name, place] of LARGE_PLACES) {
      const recipe = recipes[name];
      const each = FUNCTIONS.find((known) => known.name === name);
      if (recipe === undefined || each === undefined) throw new Error(`there is no ${name}`);
      const fuzz = new FunctionFuzz(each, recipe);
      for (const large of LARGE) await fuzz.tryValue(place, large);
      await fuzz.end();
      expect(fuzz.findings).toEqual([]);
    }
  });

  it('leaves neither a lease nor a watch behind', async () => {
    await global.close();
    await stage.client.close();
    expect(leaksIn(await leftBehind(stage.etcd.endpoints, 30_000))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

const LARGE_PLACES = [
  ['KV.put', '0'],
  ['KV.put', '1'],
  ['DistributedLock.tryAcquire', '0'],
  ['DistributedLock.tryAcquire', '1.purpose'],
  ['ServiceRegistry.register', '0.metadata'],
  ['ConfigCenter.set', '1'],
  ['ConfigCenter.publish', '0.0.value'],
  ['ConfigCenter.setSchema', '1'],
  ['@coord/grpc-resolver setServiceConfig', '2'],
] as const;

/** The keys that the work changes at each of some attempts: at the first ones, what was done before may be under way. */
async function changesOf(work: () => Promise<void>): Promise<readonly string[]> {
  let changed: readonly string[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const watch = stage.client.watch({ prefix: '' });
    await watch.ready;
    await work();
    const { revision: end } = await stage.client.kv.put('end-of-attempt', '');
    changed = await keysUntil(watch, end);
    if (changed.length === 0) break;
  }
  return changed;
}

async function keysUntil(watch: Watch, end: bigint): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { revision, events } of watch) {
    keys.push(...events.map(({ type, key }) => `${type} ${key}`));
    if (revision >= end) break;
  }
  return keys.filter((key) => key !== 'put end-of-attempt');
}
