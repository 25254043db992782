import { describe, expect, it } from 'vitest';
import { EmptyHold, type InstanceChange } from './empty-hold.js';
import type { HealthStatus } from './service-info.js';

function put(id: string, health: HealthStatus = 'healthy', leaving = false): InstanceChange {
  const info = {
    name: 'user',
    id,
    address: 'a',
    port: 1,
    metadata: {},
    health,
    weight: 1,
    registerTime: new Date(0),
    lastHeartbeat: new Date(0),
  };
  return { id, instance: { info, leaving } };
}

const gone = (id: string): InstanceChange => ({ id });
const leaving = (id: string) => put(id, 'healthy', true);
const ids = (hold: EmptyHold) => hold.list().map(({ id }) => id);

function holding(...changes: InstanceChange[]): EmptyHold {
  const hold = new EmptyHold(1_000);
  hold.apply(changes, 0);
  return hold;
}

describe('EmptyHold', () => {
  it('believes a removal that leaves somebody', () => {
    const hold = holding(put('a'), put('b'));
    hold.apply([gone('a')], 1);
    expect(ids(hold)).toEqual(['b']);
  });

  it('holds everyone who vanishes in the step that empties the list, for the time given', () => {
    const hold = holding(put('a'), put('b'));
    hold.apply([gone('a'), gone('b')], 100);
    expect(ids(hold)).toEqual(['a', 'b']);
    expect(hold.nextExpiryMs).toBe(1_100);
    expect(hold.expire(1_099)).toBe(false);
    expect(hold.expire(1_100)).toBe(true);
    expect(ids(hold)).toEqual([]);
    expect(hold.nextExpiryMs).toBeUndefined();
  });

  it('holds only the last when they vanish one by one', () => {
    const hold = holding(put('a'), put('b'));
    hold.apply([gone('a')], 1);
    hold.apply([gone('b')], 2);
    expect(ids(hold)).toEqual(['b']);
  });

  it('believes those who said goodbye', () => {
    const hold = holding(put('a'));
    hold.apply([leaving('a')], 1);
    expect(ids(hold)).toEqual([]);
    hold.apply([gone('a')], 2);
    expect(ids(hold)).toEqual([]);
  });

  it('lets go as soon as there is somebody else', () => {
    const hold = holding(put('a'));
    hold.apply([gone('a')], 1);
    hold.apply([put('b')], 2);
    expect(ids(hold)).toEqual(['b']);
    expect(hold.nextExpiryMs).toBeUndefined();
  });

  it('lists one who comes back once', () => {
    const hold = holding(put('a'));
    hold.apply([gone('a')], 1);
    hold.apply([put('a')], 2);
    expect(ids(hold)).toEqual(['a']);
  });

  it('holds the last healthy one, though unhealthy ones are left', () => {
    const hold = holding(put('a'), put('sick', 'unhealthy'));
    hold.apply([gone('a')], 1);
    expect(ids(hold)).toEqual(['sick', 'a']);
    hold.apply([put('sick', 'healthy')], 2);
    expect(ids(hold)).toEqual(['sick']);
  });

  it('believes a change of health at once', () => {
    const hold = holding(put('a'));
    hold.apply([put('a', 'maintenance')], 1);
    expect(hold.list()).toMatchObject([{ id: 'a', health: 'maintenance' }]);
  });

  it('can be off', () => {
    const hold = new EmptyHold(0);
    hold.apply([put('a')], 0);
    hold.apply([gone('a')], 1);
    expect(ids(hold)).toEqual([]);
  });
});
