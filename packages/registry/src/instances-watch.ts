import { setImmediate as nextTurn } from 'node:timers/promises';
import { PushIterator } from '@coord/client/internal';
import { type InstanceSelection, isUsual, select } from './instance-selection.js';
import type { ServiceInfo } from './service-info.js';
import type { ServiceView } from './service-view.js';

/** The instances of one service as a whole, at each change. `break` or `close()` ends it. */
export interface InstancesWatch extends AsyncIterableIterator<readonly ServiceInfo[]>, AsyncDisposable {
  /** Ends the watch and its loop. Safe to call again. */
  close(): Promise<void>;
}

/**
 * The selected instances at each change; a slow consumer gets only the newest. A list is made when somebody takes
 * it, so thousands of changes that nobody looks at cost next to nothing.
 */
export function watchInstanceList(
  view: ServiceView,
  selection: InstanceSelection,
  onClose: () => void,
): InstancesWatch {
  return new InstanceLists(view, selection, onClose);
}

class InstanceLists implements InstancesWatch {
  readonly #changed: PushIterator<'changed'>;
  readonly #lists: AsyncGenerator<readonly ServiceInfo[], void, void>;

  constructor(view: ServiceView, selection: InstanceSelection, onClose: () => void) {
    this.#changed = new PushIterator({
      onClose: () => {
        unsubscribe();
        onClose();
      },
    });
    const unsubscribe = view.subscribe(() => this.#changed.replace('changed'));
    this.#changed.push('changed');
    this.#lists = this.#follow(view, selection);
  }

  next(): Promise<IteratorResult<readonly ServiceInfo[], void>> {
    return this.#lists.next();
  }

  async return(): Promise<IteratorResult<readonly ServiceInfo[], void>> {
    await this.#changed.return(); // whoever waits for the next list is told
    return await this.#lists.return();
  }

  async close(): Promise<void> {
    await this.return();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#follow(
    view: ServiceView,
    selection: InstanceSelection,
  ): AsyncGenerator<readonly ServiceInfo[], void, void> {
    let latest: readonly ServiceInfo[] | undefined;
    try {
      for await (const _ of this.#changed) {
        if (latest !== undefined) await nextTurn(); // changes that come together make one list
        if (view.closed || this.#changed.closed) return;
        if (view.failure !== undefined) throw view.failure;
        const list = isUsual(selection)
          ? view.healthy
          : view.all && Object.freeze(select(view.all, selection));
        if (list === undefined || sameElements(list, latest)) continue;
        latest = list;
        yield list;
      }
    } finally {
      await this.#changed.return();
    }
  }
}

function sameElements(a: readonly ServiceInfo[], b: readonly ServiceInfo[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((info, index) => info === b[index]);
}
