import type { ConfigChange } from '@coord/config';

/** What might become the configuration: what the centre has, or what the snapshot file had. */
export interface Candidate {
  readonly origin: 'remote' | 'snapshot';
  readonly content:
    | { readonly kind: 'value'; readonly value: unknown }
    | { readonly kind: 'unusable'; readonly error: unknown }
    | { readonly kind: 'absent' };
  readonly version: number;
  readonly revision: bigint;
}

export function toCandidate(change: ConfigChange): Candidate {
  const { version, revision } = change;
  return { origin: 'remote', version, revision, content: contentOf(change) };
}

function contentOf({ type, value, error }: ConfigChange): Candidate['content'] {
  if (type === 'delete') return { kind: 'absent' };
  return error === undefined ? { kind: 'value', value } : { kind: 'unusable', error };
}
