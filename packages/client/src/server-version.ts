const VERSION = /^v?(\d+)\.(\d+)\.(\d+)(-)?/;

/**
 * Whether a server has a fix.
 * @param version what the server says, such as `3.5.16`; anything else has no fix
 * @param fixedIn the first release with the fix in each line that got it, oldest first: older lines
 * never got it, later lines were born with it
 */
export function hasFix(version: string | undefined, fixedIn: readonly string[]): boolean {
  const own = version === undefined ? undefined : parse(version);
  if (own === undefined) return false;
  const fixes = fixedIn.flatMap((each) => parse(each) ?? []);
  const inLine = fixes.find(({ line }) => line === own.line);
  return inLine ? own.patch >= inLine.patch : fixes.every(({ line }) => own.line > line);
}

/** The lowest of some versions; one that cannot be read is lower than any other. */
export function lowestVersion(versions: readonly string[]): string | undefined {
  const order = (version: string) => {
    const { line, patch } = parse(version) ?? { line: -1, patch: 0 };
    return line * 10_000 + patch;
  };
  return versions.toSorted((a, b) => order(a) - order(b))[0];
}

interface Version {
  /** Major and minor in one number. */
  readonly line: number;
  readonly patch: number;
}

function parse(version: string): Version | undefined {
  const [, major, minor, patch, prerelease] = VERSION.exec(version) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return {
    line: Number(major) * 1_000 + Number(minor),
    patch: Number(patch) - (prerelease === undefined ? 0 : 0.5), // 3.6.9-rc.1 comes before 3.6.9
  };
}
