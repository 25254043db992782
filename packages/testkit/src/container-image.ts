import { versionMatches } from './version.js';

const DEFAULT_REPOSITORY = 'gcr.io/etcd-development/etcd';
/** The newest first; the first is the default. */
const KNOWN_VERSIONS = ['3.5.21', '3.4.37', '3.6.5'];

/** An image, and the etcd version in it if its tag tells. @internal */
export interface ContainerImage {
  readonly name: string;
  readonly version: string | undefined;
}

/**
 * The image to run: `COORD_ETCD_IMAGE` as it is if it has a tag or digest, else with the tag of the wanted version.
 *
 * @internal
 */
export function containerImage(wanted: string | undefined): ContainerImage {
  const repository = process.env.COORD_ETCD_IMAGE || DEFAULT_REPOSITORY;
  const tag = /[:@]([^/]*)$/.exec(repository)?.[1];
  if (tag !== undefined) {
    return { name: repository, version: /^v?(\d+\.\d+\.\d+)/.exec(tag)?.[1] };
  }
  const exact = /^\d+\.\d+\.\d+$/.test(wanted ?? '') ? wanted : undefined;
  const version = exact ?? KNOWN_VERSIONS.find((known) => versionMatches(known, wanted)) ?? `${wanted}.0`;
  return { name: `${repository}:v${version}`, version };
}
