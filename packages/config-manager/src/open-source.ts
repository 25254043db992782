import { internalsOfCenter } from '@coord/config/internal';
import type { ConfigSource } from './config-source.js';
import { KeySource, type KeySourceCallbacks } from './key-source.js';
import { LayeredSource } from './layered-source.js';
import type { ResolvedConfigManagerOptions } from './options.js';

/** One key is followed as the watch tells it; several layers are read together. */
export function openSource<T>(
  { config, key, layers }: ResolvedConfigManagerOptions<T>,
  callbacks: KeySourceCallbacks,
): ConfigSource {
  const center = internalsOfCenter(config);
  const single =
    layers.keys.length === 1 && layers.overridesOf === undefined && layers.canaryOf === undefined;
  if (single || center === undefined) {
    const watch = () => center?.watchShared(key) ?? config.watch(key, { initial: true });
    return new KeySource(config, key, watch, callbacks);
  }
  return new LayeredSource(center, layers, callbacks);
}
