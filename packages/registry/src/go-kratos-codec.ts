import { ValidationError } from '@coord/client';
import { assertValid, type IssueList, type NamesOf, readOptions, show } from '@coord/client/internal';
import type { InstanceFields, ServiceCodec } from './service-codec.js';

/** Which part of a go-kratos instance is read. */
export interface GoKratosCodecOptions {
  /** Which of an instance's endpoints to use; an instance without one is passed over. @default 'grpc' */
  readonly scheme?: string | undefined;
}

const NAMES = { scheme: true } satisfies NamesOf<GoKratosCodecOptions>;

/**
 * Instances of go-kratos: JSON with `endpoints` at `/microservices/<service>/<id>`. Its `version` and
 * `metadata` are taken over, the weight from `metadata.weight` as kratos does.
 * @throws {ValidationError} for a scheme that is none
 * @see https://github.com/go-kratos/kratos/blob/main/registry/registry.go
 * @example
 * const registry = createRegistry(client, { codec: goKratosCodec() });
 * const instances = await registry.discover('helloworld');
 */
export function goKratosCodec(options?: GoKratosCodecOptions): ServiceCodec {
  const issues: IssueList = [];
  const { scheme = 'grpc' } = readOptions(issues, options, NAMES);
  assertValid(issues);
  if (typeof scheme !== 'string' || !/^[a-z][a-z0-9+.-]*$/.test(scheme)) {
    throw new ValidationError([
      { path: 'scheme', message: `must be the scheme of a URL in lower case, got ${show(scheme)}` },
    ]);
  }
  return { name: 'go-kratos', keyPrefix: '/microservices', decode: (value) => decode(value, scheme) };
}

function decode(value: string, scheme: string): InstanceFields | undefined {
  const parsed: unknown = JSON.parse(value);
  if (typeof parsed !== 'object' || parsed === null) throw new SyntaxError('value is not a JSON object');
  const { endpoints, version, metadata } = Object.assign(Object.create(null), parsed);
  if (!Array.isArray(endpoints)) throw new SyntaxError('value has no "endpoints"');
  const address = endpoints.map((endpoint) => addressOf(endpoint, scheme)).find(Boolean);
  if (address === undefined) return undefined;
  return { address, version, metadata, ...weightOf(metadata) };
}

/** `grpc://10.0.0.1:9000?isSecure=false`. Not by `URL`: that drops the ports that some schemes have by default. */
function addressOf(endpoint: unknown, scheme: string): string | undefined {
  if (typeof endpoint !== 'string') return undefined;
  const [, of, address] = /^([^:/?#]+):\/\/([^/?#]+)/.exec(endpoint) ?? [];
  return of === scheme ? address : undefined;
}

function weightOf(metadata: unknown): Pick<InstanceFields, 'weight'> {
  const text: unknown =
    typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'weight') : '';
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? { weight: Number(text) } : {};
}
