import type { ConfigCenter } from '@coord/config';
import type { WorkerContext } from '../run/worker-context.js';
import { keysOf, LAST, SECRET_MARK } from './config-names.js';
import type { ConfigShapes, Row } from './config-operations.js';

/** Watches all keys of the run, and notes what it has at the end of each revision that changed a release. */
export async function readRows(
  { recorder, assignment }: WorkerContext<ConfigShapes>,
  config: ConfigCenter,
): Promise<void> {
  const { left, right, secret } = keysOf(assignment.run);
  let row: Row = { left: '', right: '', secret: '' };
  let changed = false;
  for await (const change of config.watchPrefix<unknown>(assignment.run, { initial: true })) {
    const { key, value, last } = change;
    if (key === left || key === right || key === secret) {
      row = { ...row, [key === left ? 'left' : key === right ? 'right' : 'secret']: idOf(value) };
      changed = true;
    }
    if (!last || !changed) continue;
    recorder.observe('row', {}, row);
    changed = false;
    if (row.left.endsWith(LAST)) return;
  }
}

function idOf(value: unknown): string {
  if (typeof value === 'string') return value.replace(SECRET_MARK, '');
  if (typeof value !== 'object' || value === null) return '';
  const id = 'left' in value ? value.left : 'right' in value ? value.right : '';
  return typeof id === 'string' ? id : '';
}
