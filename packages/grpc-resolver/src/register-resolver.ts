import { type CoordClient, ValidationError } from '@coord/client';
import {
  assertValid,
  checkKeyPart,
  type IssueList,
  internalsOf,
  type NamesOf,
  readOptions,
  show,
} from '@coord/client/internal';
import { createRegistry, type ServiceRegistry } from '@coord/registry';
import { registryInternalsOf } from '@coord/registry/internal';
import * as defaultGrpc from '@grpc/grpc-js';
import { checkGrpc } from './check-grpc.js';
import { checkFollowOptions, FOLLOW_NAMES, type FollowOptions } from './follow-options.js';
import type { GrpcModule } from './grpc-adapter.js';
import { warnOfOtherCopies } from './other-copies.js';
import { Scheme, sourceOf, sourceOptions } from './scheme.js';

export interface ResolverOptions extends FollowOptions {
  /** Where the services are. Give this or `client`. */
  readonly registry?: ServiceRegistry | undefined;
  /** A registry with default options is made over it, and closed with the handle. */
  readonly client?: CoordClient | undefined;
  /** @default 'etcd' */
  readonly scheme?: string | undefined;
  /** Resolves `etcd://<name>/<service>` instead of `etcd:///<service>`: for several clusters in one process. */
  readonly name?: string | undefined;
  /** The copy of `@grpc/grpc-js` that your clients use, if it is not the one this package finds. */
  readonly grpc?: GrpcModule | undefined;
}

/** A registered resolver; closing it takes the scheme back. */
export interface ResolverHandle extends AsyncDisposable {
  readonly scheme: string;
  /** The authority in targets; '' without a `name`. */
  readonly name: string;
  /** `etcd:///user-service`, or `etcd://<name>/user-service`. @throws {ValidationError} for a bad name */
  target(serviceName: string): string;
  /**
   * Options for a grpc-js client: they tie its channel to this very resolver, whatever its target's authority,
   * and turn HTTP proxies off, which grpc-js would otherwise ask instead of any resolver.
   */
  channelOptions(): defaultGrpc.ChannelOptions;
  /** New channels are not resolved any more; open ones go on, unless the registry was made here. Idempotent. */
  close(): Promise<void>;
}

/**
 * Makes `etcd:///user-service` a target for every grpc-js client in this process. When there is another copy of
 * grpc-js in the process that does not know the scheme, a process warning (`COORD_GRPC_COPIES`) says so.
 * @throws {ValidationError} for bad options, or when the scheme (and name) is registered already
 * @throws {ClosedError} when the registry, or the client, is closed
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { registerResolver } from '@coord/grpc-resolver';
 * import * as grpc from '@grpc/grpc-js';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const resolver = registerResolver({ client });
 * const users = new grpc.Client('etcd:///user-service', grpc.credentials.createInsecure(), {
 *   'grpc.service_config': '{"loadBalancingConfig":[{"round_robin":{}}]}',
 * });
 * users.close();
 * await resolver.close();
 * await client.close();
 * ```
 */
export function registerResolver(given: ResolverOptions): ResolverHandle {
  const { scheme, name, grpc, options } = resolve(given);
  const owned = options.registry === undefined && options.client ? createRegistry(options.client) : undefined;
  const registry = options.registry ?? owned;
  if (registry === undefined) throw new ValidationError([{ path: 'registry', message: 'is missing' }]);
  const source = sourceOf(registry, options);
  const { sources } = Scheme.of(grpc, scheme);
  sources.set(name, source);
  const warn = () => warnOfOtherCopies(scheme, (copy) => Scheme.isKnownTo(copy, scheme));
  warn();
  let closing: Promise<void> | undefined;
  const close = () => {
    if (closing === undefined && sources.get(name) === source) sources.delete(name);
    closing ??= owned?.close() ?? Promise.resolve();
    return closing;
  };
  return {
    scheme,
    name,
    target(serviceName) {
      assertValid(checkKeyPart([], 'serviceName', serviceName));
      warn(); // a copy may have been loaded since
      return `${scheme}://${name}/${encodeURIComponent(serviceName)}`;
    },
    channelOptions: () => sourceOptions(source),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** RFC 3986, in lower case. */
const SCHEME = /^[a-z][a-z0-9+.-]*$/;
const NAME = /^[A-Za-z0-9._-]+$/;
/** Ours to keep out of: grpc-js has them built in. */
const BUILT_IN = ['dns', 'ipv4', 'ipv6', 'unix', 'xds'];

const NAMES = {
  ...FOLLOW_NAMES,
  registry: true,
  client: true,
  scheme: true,
  name: true,
  grpc: true,
} satisfies NamesOf<ResolverOptions>;

function resolve(given: ResolverOptions) {
  const issues: IssueList = [];
  const options = readOptions(issues, given, NAMES);
  const { registry, client, scheme = 'etcd', name, grpc = defaultGrpc } = options;
  if ((registry === undefined) === (client === undefined)) {
    issues.push({ path: 'registry', message: 'give either a registry or a client' });
  } else if (registry !== undefined && registryInternalsOf(registry) === undefined) {
    issues.push({ path: 'registry', message: 'must be made by createRegistry()' });
  } else if (client !== undefined) {
    checkClient(issues, client);
  }
  if (typeof scheme !== 'string' || !SCHEME.test(scheme) || BUILT_IN.includes(scheme)) {
    issues.push({
      path: 'scheme',
      message: `must be a lower-case URI scheme of your own, got ${show(scheme)}`,
    });
  }
  if (name !== undefined && (typeof name !== 'string' || !NAME.test(name))) {
    issues.push({
      path: 'name',
      message: `must consist of letters, digits, ".", "_", "-", got ${show(name)}`,
    });
  }
  checkFollowOptions(issues, options);
  checkGrpc(issues, grpc);
  assertValid(issues);
  if (Scheme.of(grpc, scheme).sources.has(name ?? '')) {
    const taken = name === undefined ? `${scheme}:///…` : `${scheme}://${name}/…`;
    const message = `${taken} is registered already; give this one another name, or close the other`;
    throw new ValidationError([{ path: 'name', message }]);
  }
  return { scheme, name: name ?? '', grpc, options };
}

function checkClient(issues: IssueList, client: CoordClient): void {
  try {
    internalsOf(client);
  } catch {
    issues.push({ path: 'client', message: 'must be made by connect() or createClient()' });
  }
}
