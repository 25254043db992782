/** A Node.js to run programs on. */
export interface NodeVersion {
  readonly major: string;
  readonly path: string;
}

/** Those that `npm run check:packages` has found; without it, the one that runs this. */
export function nodeVersions(): NodeVersion[] {
  const given: Record<string, string> = JSON.parse(process.env.COORD_PACKAGING_NODES ?? '{}');
  const found = Object.entries(given).map(([major, path]) => ({ major, path }));
  if (found.length > 0) return found;
  return [{ major: process.versions.node.split('.')[0] ?? '', path: process.execPath }];
}
