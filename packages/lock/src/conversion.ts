import type { Session } from '@coord/client';
import type { Grant } from './hold.js';
import type { PersistOptions } from './persist.js';

/** How a lock becomes one of another kind. */
export interface Conversion<L> {
  /** Safe to repeat. */
  change(session: Session): Promise<boolean>;
  make(grant: Grant): L;
  /** Called when the caller gives up, and it is not known whether the change has been made. */
  onGivenUp?(): void;
  /** Called when the change has been made after the caller had given up. */
  undo(options: PersistOptions): Promise<unknown>;
}
