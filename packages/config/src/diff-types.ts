/** How two versions of a key differ: as JSON, as text, or as wholes (bytes, other types, an absent key). */
export type ConfigDiff = JsonConfigDiff | TextConfigDiff | WholeConfigDiff;

interface DiffedVersions {
  readonly key: string;
  readonly from: number;
  readonly to: number;
  readonly equal: boolean;
}

/** Both are objects, or both arrays. */
export interface JsonConfigDiff extends DiffedVersions {
  readonly kind: 'json';
  readonly changes: readonly JsonDifference[];
}

/** One place at which two JSON values differ. */
export interface JsonDifference {
  readonly type: 'added' | 'removed' | 'replaced';
  /**
   * The way to it: names, and numbers for places in arrays. For what was removed its place before, for the rest
   * the place after.
   */
  readonly path: readonly (string | number)[];
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Both are strings. */
export interface TextConfigDiff extends DiffedVersions {
  readonly kind: 'text';
  /** Runs of lines, each with its line ends; all of `same` and `added` together are the later text. */
  readonly runs: readonly TextRun[];
}

/** Lines in a row that share a fate. */
export interface TextRun {
  readonly type: 'same' | 'added' | 'removed';
  readonly text: string;
}

/** Everything else. */
export interface WholeConfigDiff extends DiffedVersions {
  readonly kind: 'whole';
  /** Absent: the key was. */
  readonly before?: unknown;
  readonly after?: unknown;
}
