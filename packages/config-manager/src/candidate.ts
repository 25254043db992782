import { isMain, type LayerPart, revisionOf } from './layer.js';

/** What might become the configuration: what the centre has, or what the snapshot file had. */
export class Candidate {
  readonly origin: 'remote' | 'snapshot';
  /** The lowest layer first. Of `remote`, the layer `service` is always there. */
  readonly parts: readonly LayerPart[];

  constructor(origin: 'remote' | 'snapshot', parts: readonly LayerPart[]) {
    this.origin = origin;
    this.parts = parts;
  }

  /** The key that the manager is named after, or what stands in for it. */
  get main(): LayerPart | undefined {
    return this.parts.find(isMain);
  }

  get version(): number {
    return this.main?.version ?? 0;
  }

  get revision(): bigint {
    return revisionOf(this.parts);
  }

  /** The `mod_revision` of the raw key; 0n = absent. */
  get keyRevision(): bigint {
    return this.main?.content.kind === 'absent' ? 0n : (this.main?.revision ?? 0n);
  }

  /** The key is known to be absent from the centre. */
  get absent(): boolean {
    return this.origin === 'remote' && this.main?.content.kind === 'absent';
  }
}
