/** Something that must never be, and was. */
export interface Violation {
  /** Which promise is broken, such as `L2`: see the README. */
  readonly invariant: string;
  readonly what: string;
}
