import { ValidationError } from '@coord/client';
import { assertValid, checkKeyPart } from '@coord/client/internal';
import type { Target } from './grpc-adapter.js';

/**
 * The service that a target such as `etcd:///user-service` names: its path, without a query.
 * @throws {ValidationError} when it names none
 */
export function serviceNameOf({ scheme, authority, path }: Target): string {
  const [encoded = ''] = path.split(/[?#]/);
  const name = decode(encoded);
  const whole = `${scheme}://${authority}/${path}`;
  if (name === undefined)
    throw new ValidationError([{ path: 'target', message: `${whole} is badly encoded` }]);
  assertValid(checkKeyPart([], `target ${whole}`, name));
  return name;
}

/** The `:authority` header can hold no arbitrary text: a name goes there as it stands in the target. */
export function authorityOf(target: Target): string {
  return encodeURIComponent(serviceNameOf(target));
}

export function targetOf(scheme: string, serviceName: string): string {
  return `${scheme}:///${encodeURIComponent(serviceName)}`;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
