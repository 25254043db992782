import { describe, expect, it } from 'vitest';
import { isChosen } from './canary-record.js';

const names = Array.from({ length: 4_000 }, (_, index) => `orders-${index}`);
const traits = (instance: string | undefined, labels = {}) => ({ instance, labels });
const chosen = (percent: number, id = 'one') =>
  names.filter((name) => isChosen({ id, percent }, traits(name)));

describe('who gets a canary', () => {
  it('is about the percentage, always the same, and more when it grows', () => {
    const some = chosen(10);
    expect(some.length).toBeGreaterThan(300);
    expect(some.length).toBeLessThan(500);
    expect(chosen(10)).toEqual(some);
    expect(chosen(25)).toEqual(expect.arrayContaining(some));
    expect([chosen(0), chosen(100)]).toEqual([[], names]);
  });

  it('is not the same for every canary', () => {
    const [one, other] = [chosen(10), new Set(chosen(10, 'other'))];
    expect(one.filter((name) => other.has(name)).length).toBeLessThan(one.length / 2);
  });

  it('has all of the labels, and is in the percentage', () => {
    const rule = { id: 'one', labels: { region: 'eu', tier: '1' } };
    expect(isChosen(rule, traits('a', { region: 'eu', tier: '1', more: 'x' }))).toBe(true);
    expect(isChosen(rule, traits('a', { region: 'eu' }))).toBe(false);
    expect(isChosen(rule, traits('a', { region: 'us', tier: '1' }))).toBe(false);
    expect(isChosen({ ...rule, percent: 0 }, traits('a', { region: 'eu', tier: '1' }))).toBe(false);
    expect(isChosen({ id: 'one', labels: { constructor: 'x' } }, traits('a'))).toBe(false);
  });

  it('is nobody without a name, where there is a percentage', () => {
    expect(isChosen({ id: 'one', percent: 100 }, traits(undefined))).toBe(false);
  });
});
