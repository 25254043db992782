import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Row } from './report.js';

export const GO = 'go clientv3';

interface GoLine {
  readonly name: string;
  readonly c: number;
  readonly ops: number;
  readonly p50: number;
  readonly p99: number;
}

/** Runs the Go peer (etcd's clientv3) against the same etcd; it prints one JSON line a workload, and nothing of its CPU. */
export async function goRows(binary: string, target: string, only: 'kv' | 'lock'): Promise<Row[]> {
  const { stdout } = await promisify(execFile)(binary, ['-e', target, '-only', only]);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => {
      const { name, c, ops, p50, p99 }: GoLine = JSON.parse(line);
      return { who: GO, workload: name, callers: c, perSecond: ops, p50, p99 };
    });
}
