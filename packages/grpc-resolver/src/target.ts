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

/**
 * The `:authority` of calls: the name as it stands in the target. grpc-js makes a URL of it, and cannot connect
 * when it is no host there (`user:v2`, `billing.2024`): then it is `localhost`, as grpc-js has it for sockets.
 */
export function authorityOf(target: Target): string {
  const name = encodeURIComponent(serviceNameOf(target));
  return URL.canParse(`http://${name}`) ? name : 'localhost';
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
