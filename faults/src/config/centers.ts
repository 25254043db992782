import { createHash } from 'node:crypto';
import type { CoordClient } from '@coord/client';
import { type ConfigCenter, createConfigCenter } from '@coord/config';
import { HISTORY_DEPTH } from './config-names.js';

/** Centres of one process: they have the same keys, and encrypt with another. */
export interface Centers {
  readonly first: ConfigCenter;
  readonly second: ConfigCenter;
}

const SECRET_KEYS = { k1: keyNamed('k1'), k2: keyNamed('k2') };

export function openCenters(client: CoordClient): Centers {
  const open = (current: string) =>
    createConfigCenter(client, {
      encryption: { keys: SECRET_KEYS, current },
      maxVersionHistory: HISTORY_DEPTH,
    });
  return { first: open('k1'), second: open('k2') };
}

export async function closeCenters({ first, second }: Centers): Promise<void> {
  await first.close();
  await second.close();
}

function keyNamed(name: string): Uint8Array {
  return createHash('sha256').update(name).digest();
}
