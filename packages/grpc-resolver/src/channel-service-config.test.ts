import { ValidationError } from '@coord/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChannelServiceConfig, type StoredConfigs } from './channel-service-config.js';

/** What is stored, set by hand. */
class HandMadeStore implements StoredConfigs {
  known = false;
  readonly refusals: unknown[] = [];
  #stored: { readonly value: Uint8Array; readonly revision: bigint } | undefined;
  readonly #listeners = new Set<() => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  get() {
    return this.#stored;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  refused(...refusal: unknown[]): void {
    this.refusals.push(refusal);
  }

  set(text?: string, revision = 1n): void {
    this.known = true;
    this.#stored = text === undefined ? undefined : { value: Buffer.from(text), revision };
    for (const listener of this.#listeners) listener();
  }
}

function make() {
  const store = new HandMadeStore();
  const config = new ChannelServiceConfig({
    serviceName: 'who',
    store,
    own: { own: true },
    complete: (merged) => ({ ...merged, complete: true }),
    parse: (value) => {
      if (String(value) === 'bad') throw new ValidationError([{ path: 'serviceConfig', message: 'is bad' }]);
      return { stored: String(value) };
    },
  });
  const changed = vi.fn();
  return { store, config, changed };
}

const OWN = { own: true, complete: true };

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the service config of a channel', () => {
  it('is settled as soon as it is known what is stored, or that nothing is', () => {
    const { store, config, changed } = make();
    config.start(changed);
    expect([config.settled, config.current]).toEqual([false, OWN]);
    store.set();
    expect([config.settled, config.current]).toEqual([true, OWN]);
    expect(changed).toHaveBeenCalledTimes(1);
    store.set('a');
    expect(config.current).toEqual({ stored: 'a', ...OWN });
    expect(changed).toHaveBeenCalledTimes(2);
    store.set();
    expect(config.current).toEqual(OWN);
    expect(changed).toHaveBeenCalledTimes(3);
  });

  it('is the caller’s own when nothing is known for two seconds, until something is', () => {
    const { store, config, changed } = make();
    config.start(changed);
    vi.advanceTimersByTime(1_999);
    expect(config.settled).toBe(false);
    vi.advanceTimersByTime(1);
    expect([config.settled, config.current]).toEqual([true, OWN]);
    expect(changed).toHaveBeenCalledTimes(1);
    store.set('late');
    expect(config.current).toEqual({ stored: 'late', ...OWN });
    expect(changed).toHaveBeenCalledTimes(2);
  });

  it('changes only when what is stored does', () => {
    const { store, config, changed } = make();
    store.set('a');
    config.start(changed);
    config.start(changed);
    const calls = changed.mock.calls.length;
    store.set('a'); // as after a resynchronisation
    expect(changed).toHaveBeenCalledTimes(calls);
    store.set('b'); // the same revision, after a restore from a backup
    expect(config.current).toEqual({ stored: 'b', ...OWN });
  });

  it('stays the last good one when a bad one is stored, and goes when that is deleted', () => {
    const { store, config, changed } = make();
    config.start(changed);
    store.set('good', 5n);
    store.set('bad', 6n);
    expect(config.current).toEqual({ stored: 'good', ...OWN });
    expect(config.status).toMatchObject({ storedRevision: 5n, refused: { revision: 6n } });
    expect(store.refusals).toHaveLength(1);
    store.set('better', 7n);
    expect(config.status).toMatchObject({ storedRevision: 7n, refused: undefined });
    store.set('bad', 8n);
    store.set();
    expect(config.status).toMatchObject({ storedRevision: undefined, refused: undefined, inForce: OWN });
  });

  it('is settled by a bad one, too', () => {
    const { store, config, changed } = make();
    config.start(changed);
    store.set('bad');
    expect([config.settled, config.current]).toEqual([true, OWN]);
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it('is followed no more after a stop, and again after the next start', () => {
    const { store, config, changed } = make();
    config.start(changed);
    config.stop();
    expect(store.listeners).toBe(0);
    vi.advanceTimersByTime(10_000);
    store.set('a');
    expect(changed).not.toHaveBeenCalled();
    config.start(changed);
    expect([config.settled, config.current]).toEqual([true, { stored: 'a', ...OWN }]);
  });
});
