import type { ValidationError } from '@coord/client';

/** A stored service config that calls do not go by. */
export interface RefusedServiceConfig {
  readonly revision: bigint;
  /** What is wrong with it. */
  readonly error: ValidationError;
}

/** By which service config the calls of a connection go. */
export interface ServiceConfigStatus {
  /** What the connection's options say, over what is stored beside the service, over the defaults. */
  readonly inForce: Readonly<Record<string, unknown>>;
  /** Of the stored config in it; undefined when it holds none. */
  readonly storedRevision: bigint | undefined;
  /** Stored since, but wrong: the last good one stays in force. */
  readonly refused: RefusedServiceConfig | undefined;
  /** With revisions as decimal strings. */
  toJSON(): object;
}

export function serviceConfigStatus(
  inForce: Readonly<Record<string, unknown>>,
  storedRevision: bigint | undefined,
  refused: RefusedServiceConfig | undefined,
): ServiceConfigStatus {
  return {
    inForce,
    storedRevision,
    refused,
    toJSON: () => ({
      inForce,
      ...(storedRevision !== undefined && { storedRevision: String(storedRevision) }),
      ...(refused && { refused: { revision: String(refused.revision), issues: refused.error.issues } }),
    }),
  };
}
