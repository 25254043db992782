/** How many versions of a key are kept: few, so that versions are dropped throughout. */
export const HISTORY_DEPTH = 8;
/** How every secret begins, so that it is known where it stands in clear. */
export const SECRET_MARK = 'hush-';
export const SERVICE = 'app';
export const LAST = '-last';

/** The config keys of a run; each is used in a way of its own. */
export function keysOf(run: string) {
  const app = `${run}/${SERVICE}`;
  return {
    /** Changed by compare-and-set, and by others without Coord. */
    bounds: `${app}/bounds`,
    /** A release changes all three; `left` and `right` are two layers of one component. */
    left: `${run}/_shared/pair`,
    right: `${app}/pair`,
    secret: `${app}/secret`,
    /** With canaries and overrides. */
    tuned: `${app}/tuned`,
    /** Set, deleted and rolled back. */
    spare: `${app}/spare`,
    /** With a schema beside it. */
    checked: `${app}/checked`,
    /** Only written without Coord. */
    junk: `${app}/junk`,
  };
}

export type ConfigKeys = ReturnType<typeof keysOf>;

/** Of the keys of a release, in its order. */
export function releaseKeys({ left, right, secret }: ConfigKeys): readonly string[] {
  return [left, right, secret];
}

/** The value that holds for one instance alone. */
export function instanceKey({ tuned }: ConfigKeys, index: number): string {
  return `${tuned}/_instances/${instanceName(index)}`;
}

/** A worker that takes the place of another is the same instance. */
export function instanceName(index: number): string {
  return `i${index}`;
}

export function halfOf(index: number): string {
  return String(index % 2);
}

const RAW = '/config/';
const META = '/coord/config/meta/';
export const RELEASES = '/coord/config/rel/';
export const CANARIES = '/coord/config/gray/';

/** Where a value stands in etcd. */
export const rawKey = (key: string) => `${RAW}${key}`;
export const metaKey = (key: string) => `${META}${key}`;
export const schemaKey = (key: string) => `/coord/config/schema/${key}`;
export const canaryKey = (key: string) => `${CANARIES}${key}`;
export const overridePrefix = (key: string) => `/coord/config/over/${key}/@/`;
export const ackKey = (key: string, instance: string) => `/coord/config/ack/${key}/@/${instance}`;

/** The config key and the version of a key of the history. */
export function pastOf(etcdKey: string): { readonly key: string; readonly version: number } | undefined {
  const [, key, digits] = /^\/coord\/config\/hist\/(.+)\/@\/(\d{12})$/.exec(etcdKey) ?? [];
  return key === undefined ? undefined : { key, version: Number(digits) };
}

/** The config key of a raw key. */
export function keyOfRaw(etcdKey: string): string | undefined {
  return etcdKey.startsWith(RAW) ? etcdKey.slice(RAW.length) : undefined;
}

export function keyOfMeta(etcdKey: string): string | undefined {
  return etcdKey.startsWith(META) ? etcdKey.slice(META.length) : undefined;
}

/** All that stands in etcd for a run; of releases those of others, too, which are told apart by what they hold. */
export function isOfRun(etcdKey: string, run: string): boolean {
  return (
    etcdKey.startsWith(RELEASES) || (/^\/(?:coord\/)?config\//.test(etcdKey) && etcdKey.includes(`/${run}/`))
  );
}
