import { describe, expect, it } from 'vitest';
import { HealthHysteresis } from './health-hysteresis.js';

/** `+` = passed; h = healthy, u = unhealthy, . = no verdict. */
function verdicts(results: string, unhealthyAfter: number, healthyAfter: number): string {
  const hysteresis = new HealthHysteresis({ unhealthyAfter, healthyAfter });
  return [...results].map((result) => hysteresis.add(result === '+')?.[0] ?? '.').join('');
}

describe('HealthHysteresis', () => {
  it.each([
    [3, 2, '+++---++', '.hh..u.h'],
    [3, 2, '--+--+-+', '........'],
    [1, 1, '+-+-', 'huhu'],
    [2, 1, '-+--+--', '.h.uh.u'],
  ])('makes, with %i and %i, of %s: %s', (unhealthyAfter, healthyAfter, results, expected) => {
    expect(verdicts(results, unhealthyAfter, healthyAfter)).toBe(expected);
  });
});
