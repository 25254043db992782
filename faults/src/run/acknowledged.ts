interface Done {
  readonly name: string;
  readonly scope?: string;
}

/** How many operations of each name were acknowledged so far: in all, and of each scope. */
export class Acknowledged {
  readonly #counts = new Map<string, number>();

  add({ name, scope }: Done): void {
    for (const key of scope === undefined ? [name] : [name, keyOf(name, scope)]) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
  }

  count(name: string, scope?: string): number {
    return this.#counts.get(scope === undefined ? name : keyOf(name, scope)) ?? 0;
  }
}

function keyOf(name: string, scope: string): string {
  return `${name}\0${scope}`;
}
