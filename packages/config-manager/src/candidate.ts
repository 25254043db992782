import { isMain, type LayerPart, revisionOf } from './layer.js';

/** What might become the configuration: what the centre has, or what the snapshot file had. */
export class Candidate {
  readonly origin: 'remote' | 'snapshot';
  /** The lowest layer first. Of `remote`, the layer `service` is always there. */
  readonly parts: readonly LayerPart[];
  /** The key that the manager is named after, or what stands in for it. */
  readonly main: LayerPart | undefined;
  readonly version: number;
  readonly revision: bigint;
  /** The `mod_revision` of the raw key; 0n = absent. */
  readonly keyRevision: bigint;
  /** The key is known to be absent from the centre. */
  readonly absent: boolean;

  constructor(origin: 'remote' | 'snapshot', parts: readonly LayerPart[]) {
    this.origin = origin;
    this.parts = parts;
    this.main = parts.find(isMain);
    const gone = this.main?.content.kind === 'absent';
    this.version = this.main?.version ?? 0;
    this.revision = revisionOf(parts);
    this.keyRevision = gone ? 0n : (this.main?.revision ?? 0n);
    this.absent = origin === 'remote' && gone;
  }
}
