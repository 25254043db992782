/** A promise of the library, and what came of it. */
export interface Check {
  readonly act: string;
  readonly promise: string;
  readonly measured: string;
  readonly kept: boolean;
}
