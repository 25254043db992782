import type { ConfigChange } from '@coord/config';

/** The layers of a configuration in the centre, the lowest first: each is laid over those before it. */
export const LAYERS = ['shared', 'service', 'canary', 'instance', 'override'] as const;

/** A source of values; those later in the list lie over those before. */
export type ConfigLayer = (typeof LAYERS)[number];

/** What a layer says at a moment. */
export interface LayerPart {
  /** `snapshot`: all layers as one, from the snapshot file. */
  readonly layer: ConfigLayer | 'snapshot';
  /** In the centre; for a canary or an override its id. */
  readonly key: string;
  readonly version: number;
  readonly revision: bigint;
  readonly content:
    | { readonly kind: 'value'; readonly value: unknown }
    | { readonly kind: 'unusable'; readonly error: unknown }
    | { readonly kind: 'absent' };
}

/** A layer that a configuration was made of. */
export interface SuppliedPart extends Omit<LayerPart, 'content'> {
  readonly value: unknown;
}

export function toLayerPart(layer: ConfigLayer, change: ConfigChange): LayerPart {
  const { key, version, revision } = change;
  return { layer, key, version, revision, content: contentOf(change) };
}

function contentOf({ type, value, error }: ConfigChange): LayerPart['content'] {
  if (type === 'delete') return { kind: 'absent' };
  return error === undefined ? { kind: 'value', value } : { kind: 'unusable', error };
}

/** What has a value, as it is. A canary takes the place of the key's own value. */
export function suppliedOf(parts: readonly LayerPart[]): readonly SuppliedPart[] {
  const canary = parts.some(({ layer }) => layer === 'canary');
  const counting = canary ? parts.filter(({ layer }) => layer !== 'service') : parts;
  return counting.flatMap(({ content, ...part }) =>
    content.kind === 'value' ? [{ ...part, value: content.value }] : [],
  );
}

export function isSame(one: readonly SuppliedPart[], other: readonly SuppliedPart[]): boolean {
  return (
    one.length === other.length &&
    one.every((part, index) => {
      const twin = other[index];
      return (
        part.layer === twin?.layer &&
        part.key === twin.key &&
        part.revision === twin.revision &&
        part.version === twin.version // a canary has that of the key, which may go on beneath it
      );
    })
  );
}

/** The key that the manager is named after, or what stands in for it. */
export function isMain({ layer }: Pick<LayerPart, 'layer'>): boolean {
  return layer === 'service' || layer === 'snapshot';
}

/** The newest of several. */
export function revisionOf(parts: readonly { readonly revision: bigint }[]): bigint {
  let newest = 0n;
  for (const { revision } of parts) if (revision > newest) newest = revision;
  return newest;
}
