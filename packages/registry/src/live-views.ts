/** How often it is looked whether somebody still wants to know. */
const SWEEP_EVERY_MS = 30_000;

/** What is kept for each name that was asked for. */
export interface LiveView {
  /** Somebody is waiting for it or listening to it, or it has something to remember. */
  readonly needed: boolean;
  close(): Promise<void>;
}

/**
 * The live views of a registry, by service.
 *
 * A view stays, so that its list is there when etcd is away; but one without any instance that nobody has asked for
 * in a while goes: names that come from outside, or were mistyped, must not add up.
 */
export class LiveViews<V extends LiveView> {
  readonly #open: (serviceName: string) => V;
  readonly #views = new Map<string, { readonly view: V; askedFor: boolean }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(open: (serviceName: string) => V) {
    this.#open = open;
  }

  /** The view of a service, opened if there is none. */
  of(serviceName: string): V {
    const known = this.#views.get(serviceName);
    if (known !== undefined) {
      known.askedFor = true;
      return known.view;
    }
    const view = this.#open(serviceName);
    this.#views.set(serviceName, { view, askedFor: true });
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_EVERY_MS).unref();
    return view;
  }

  /** The view of a service, if there is one. */
  get(serviceName: string): V | undefined {
    return this.#views.get(serviceName)?.view;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const views = [...this.#views.values()];
    this.#views.clear();
    await Promise.allSettled(views.map(({ view }) => view.close()));
  }

  #sweep(): void {
    for (const [serviceName, known] of this.#views) {
      if (!known.askedFor && !known.view.needed) {
        this.#views.delete(serviceName);
        known.view.close().catch(() => undefined);
      }
      known.askedFor = false;
    }
  }
}
