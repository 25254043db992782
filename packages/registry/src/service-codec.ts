import { type IssueList, show } from '@coord/client/internal';
import type { ServiceRegistration } from './service-info.js';

/** Where an instance is: `<keyPrefix>/<serviceName>/<instanceId>`. */
export interface InstanceKey {
  readonly serviceName: string;
  readonly instanceId: string;
}

/** What a value of another system says about an instance; what it does not say gets its default. */
export type InstanceFields = Omit<ServiceRegistration, 'name' | 'id'>;

/**
 * How another system writes its instances, so that they can be discovered. See {@link goKratosCodec} and
 * {@link goZeroCodec}; write your own for any layout of the form `<prefix>/<service>/<id>`.
 */
export interface ServiceCodec {
  /** For messages. */
  readonly name: string;
  /** Where its instances live unless the registry's `keyPrefix` says otherwise. May be empty. */
  readonly keyPrefix: string;
  /** Whether a key is an instance's; the others are passed over. @default every key of the right shape is one */
  readonly isInstance?: ((key: InstanceKey) => boolean) | undefined;
  /**
   * Reads a value. Return undefined to pass over it; when it throws, or when the address is not usable, the
   * value is logged and left out: a bad one isolates itself.
   */
  readonly decode: (value: string, key: InstanceKey) => InstanceFields | undefined;
}

export function checkCodec(issues: IssueList, codec: unknown): IssueList {
  if (codec === undefined) return issues;
  const fields: Partial<Record<keyof ServiceCodec, unknown>> | undefined =
    typeof codec === 'object' && codec !== null ? codec : undefined;
  if (fields === undefined) {
    issues.push({ path: 'codec', message: `must be an object, got ${show(codec)}` });
    return issues;
  }
  const check = (name: keyof ServiceCodec, fits: boolean, wanted: string) => {
    if (!fits)
      issues.push({ path: `codec.${name}`, message: `must be ${wanted}, got ${show(fields[name])}` });
  };
  check('name', typeof fields.name === 'string' && fields.name !== '', 'a name');
  check('keyPrefix', typeof fields.keyPrefix === 'string', 'a string');
  check('decode', typeof fields.decode === 'function', 'a function');
  const { isInstance } = fields;
  check('isInstance', isInstance === undefined || typeof isInstance === 'function', 'a function');
  return issues;
}
