/** A copy of the arguments with a value at a place, as `1.timeoutMs`. What the way there lacks is made. */
export function withValueAt(args: readonly unknown[], place: string, value: unknown): unknown[] {
  const steps = place.split('.');
  const copy = [...args];
  const [first = '0', ...rest] = steps;
  copy[Number(first)] = replaced(copy[Number(first)], rest, value);
  return copy;
}

function replaced(present: unknown, steps: readonly string[], value: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  if (/^\d+$/.test(step)) {
    const list: unknown[] = Array.isArray(present) ? [...present] : [];
    list[Number(step)] = replaced(list[Number(step)], rest, value);
    return list;
  }
  const object: Record<string, unknown> = isObject(present) ? { ...present } : {};
  object[step] = replaced(object[step], rest, value);
  return object;
}

/** Whether good input goes all the way to a place, or to what it is a part of. */
export function reaches(args: readonly unknown[], place: string): boolean {
  const way = place.split('.').slice(0, -1);
  let at: unknown = args;
  for (const step of way) {
    if (typeof at !== 'object' || at === null || !(step in at)) return false;
    at = Reflect.get(at, step);
  }
  return true;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
