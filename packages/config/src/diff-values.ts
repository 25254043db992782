import { isDeepStrictEqual } from 'node:util';
import { type ArrayChange, diffArrays, diffLines } from 'diff';
import type { JsonDifference, TextRun } from './diff-types.js';
import { isPlainObject } from './json-encode.js';

/** Beyond this, two texts or lists have so little in common that looking for it would only take time. */
const BOUNDS = { maxEditLength: 1_000, timeout: 500 };

export function diffText(before: string, after: string): TextRun[] {
  const runs = diffLines(before, after, BOUNDS) ?? [
    { value: before, removed: true, added: false },
    { value: after, removed: false, added: true },
  ];
  return runs
    .filter(({ value }) => value !== '')
    .map(({ value, added, removed }) => ({
      type: added ? 'added' : removed ? 'removed' : 'same',
      text: value,
    }));
}

type Path = readonly (string | number)[];

/** What is different between two values from JSON; nothing for equal ones, whatever the order of their members. */
export function diffJson(before: unknown, after: unknown, path: Path = []): JsonDifference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, path);
  if (isPlainObject(before) && isPlainObject(after)) return diffObjects(before, after, path);
  return [{ type: 'replaced', path, before, after }];
}

function diffObjects(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  path: Path,
): JsonDifference[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name): JsonDifference[] => {
    const own: Path = [...path, name];
    if (!Object.hasOwn(before, name)) return [{ type: 'added', path: own, after: after[name] }];
    if (!Object.hasOwn(after, name)) return [{ type: 'removed', path: own, before: before[name] }];
    return diffJson(before[name], after[name], own);
  });
}

/** Items are compared as wholes; where as many came as went, they are taken to have changed in place. */
function diffLists(before: readonly unknown[], after: readonly unknown[], path: Path): JsonDifference[] {
  const differences: JsonDifference[] = [];
  const place = { before: 0, after: 0 };
  const bounded = { ...BOUNDS, comparator: isDeepStrictEqual };
  const runs = diffArrays([...before], [...after], bounded) ?? [run(before, 'removed'), run(after, 'added')];
  for (const [index, { value, added, removed }] of runs.entries()) {
    const next = runs[index + 1];
    const previous = runs[index - 1];
    if (removed && next?.added && next.value.length === value.length) {
      for (const [i, item] of value.entries()) {
        differences.push(...diffJson(item, next.value[i], [...path, place.after + i]));
      }
    } else if (removed) {
      for (const [i, item] of value.entries()) {
        differences.push({ type: 'removed', path: [...path, place.before + i], before: item });
      }
    } else if (added && !(previous?.removed && previous.value.length === value.length)) {
      for (const [i, item] of value.entries()) {
        differences.push({ type: 'added', path: [...path, place.after + i], after: item });
      }
    }
    if (!added) place.before += value.length;
    if (!removed) place.after += value.length;
  }
  return differences;
}

function run(items: readonly unknown[], type: 'added' | 'removed'): ArrayChange<unknown> {
  return { value: [...items], count: items.length, added: type === 'added', removed: type === 'removed' };
}
