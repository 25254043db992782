import { PushIterator, raceAbort } from '@coord/client/internal';
import type { RegistryContext } from './registry-context.js';
import { openServiceCache } from './service-cache.js';
import type { ServiceInfo } from './service-info.js';
import type { StoredInstance } from './service-value.js';

/** An instance appeared or changed (`put`), or went away (`delete`). */
export interface ServiceEvent {
  readonly type: 'put' | 'delete';
  /** For a delete: the instance as it was last seen. */
  readonly service: ServiceInfo;
  /** As it was before; absent for a new one. */
  readonly previous?: ServiceInfo;
}

/** The changes of one service, the present instances first. `break` or `close()` ends it. */
export interface ServiceWatch extends AsyncIterableIterator<ServiceEvent>, AsyncDisposable {
  /** Ends the watch and its loop. Safe to call again. */
  close(): Promise<void>;
}

/** A stream of the registry's; told to `end` when the registry closes. */
export interface RegistryStream {
  close(): Promise<void>;
}

class ServiceStream<T> extends PushIterator<T> implements RegistryStream {
  #drained = () => {};

  constructor(onClose: () => void) {
    super({
      onTake: () => {
        if (this.size === 0) this.#drained();
      },
      onClose: () => {
        this.#drained();
        onClose();
      },
    });
  }

  /** Resolves when everything has been taken, or when it is over. */
  async drained(): Promise<void> {
    if (this.size === 0 || this.closed) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  async close(): Promise<void> {
    await this.return();
  }
}

/**
 * Every change of every instance, in order, none lost: also those that an empty-list guard holds back
 * elsewhere. An instance goes away when it says that it is leaving, not only when its key is gone.
 */
export function watchService(
  context: RegistryContext,
  serviceName: string,
  onClose: () => void,
): ServiceWatch {
  const cache = openServiceCache(context, serviceName);
  const ended = new AbortController();
  const stream = new ServiceStream<ServiceEvent>(() => {
    ended.abort();
    onClose();
  });
  const present = new Map<string, ServiceInfo>();

  const apply = (key: string, instance: StoredInstance | undefined) => {
    const event = change(present.get(key), instance);
    if (event === undefined) return;
    if (event.type === 'put') present.set(key, event.service);
    else present.delete(key);
    stream.push(event);
  };

  const follow = async () => {
    try {
      await raceAbort(cache.ready, ended.signal);
      // In one tick: no change can fall between the list and the changes.
      const entries = cache.entries();
      const changes = cache.changes();
      const stop = () => void changes[Symbol.asyncDispose]();
      ended.signal.addEventListener('abort', stop, { once: true });
      for (const [key, instance] of entries) apply(key, instance);
      // One update at a time: what a slow consumer leaves behind waits in the cache, which bounds it.
      await stream.drained();
      for await (const update of changes) {
        for (const { key, value } of update.changes) apply(key, value);
        await stream.drained();
      }
      stream.end();
    } catch (error) {
      stream.fail(error); // does nothing when the consumer has ended it
    } finally {
      await cache.close();
    }
  };
  follow().catch(() => undefined); // all that it may throw has gone to the stream
  return stream;
}

function change(
  previous: ServiceInfo | undefined,
  now: StoredInstance | undefined,
): ServiceEvent | undefined {
  if (now !== undefined && !now.leaving) {
    return { type: 'put', service: now.info, ...(previous && { previous }) };
  }
  return previous && { type: 'delete', service: previous, previous };
}
