import { describe, expect, it } from 'vitest';
import { resolveHealthCheck } from './health-check.js';

function pathsOf(check: unknown): string[] {
  const issues: { path: string; message: string }[] = [];
  resolveHealthCheck(issues, check);
  return issues.map(({ path }) => path);
}

const run = () => true;

describe('resolveHealthCheck', () => {
  it.each([
    undefined,
    run,
    { run },
    { tcp: true },
    { tcp: { address: '10.0.0.1:80' }, timeoutMs: 5, unhealthyAfter: 1, healthyAfter: 1 },
    { grpc: true },
    { grpc: {} },
    { grpc: { address: '[::1]:80', service: 'user' } },
  ])('takes %j', (check) => {
    expect(pathsOf(check)).toEqual([]);
  });

  it('fills in the defaults', () => {
    expect(resolveHealthCheck([], run)).toEqual({
      timeoutMs: 1_000,
      unhealthyAfter: 3,
      healthyAfter: 2,
      run,
    });
  });

  it.each([
    [null, ['check']],
    ['tcp', ['check']],
    [{}, ['check']],
    [{ tcp: true, run }, ['check']],
    [{ tcp: false }, ['check.tcp']],
    [{ tcp: { address: 'a:99999' } }, ['check.tcp.address']],
    [{ grpc: { address: 80 } }, ['check.grpc.address']],
    [{ grpc: { service: 5 } }, ['check.grpc.service']],
    [{ grpc: 'user' }, ['check.grpc']],
    [{ run: 'ls' }, ['check.run']],
    [
      { tcp: true, timeoutMs: Number.NaN, unhealthyAfter: 0, healthyAfter: 1.5 },
      ['check.timeoutMs', 'check.unhealthyAfter', 'check.healthyAfter'],
    ],
    [
      { tcp: true, unhealthyAfter: '3', healthyAfter: 2 ** 53 },
      ['check.unhealthyAfter', 'check.healthyAfter'],
    ],
  ])('refuses %j', (check, paths) => {
    expect(pathsOf(check)).toEqual(paths);
  });
});
