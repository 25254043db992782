import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveViews } from './live-views.js';

class View {
  needed = false;
  closed = false;
  async close(): Promise<void> {
    this.closed = true;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('LiveViews', () => {
  it('opens one view for each service', () => {
    const views = new LiveViews(() => new View());
    expect(views.get('a')).toBeUndefined();
    const a = views.of('a');
    expect([views.of('a'), views.get('a')]).toEqual([a, a]);
    expect(views.of('b')).not.toBe(a);
  });

  it('lets go of what nobody needs and nobody has asked for in half a minute', () => {
    const views = new LiveViews(() => new View());
    const [idle, asked, needed] = ['idle', 'asked', 'needed'].map((name) => views.of(name));
    if (needed) needed.needed = true;
    vi.advanceTimersByTime(30_000);
    expect(views.get('idle')).toBe(idle);
    expect(views.of('asked')).toBe(asked);
    vi.advanceTimersByTime(30_000);
    expect(views.get('idle')).toBeUndefined();
    expect([idle, asked, needed].map((view) => view?.closed)).toEqual([true, false, false]);
    expect(views.of('idle')).not.toBe(idle);
    vi.advanceTimersByTime(300_000);
    expect(views.get('needed')).toBe(needed);
  });

  it('holds no number of names that nobody needs', () => {
    const opened: View[] = [];
    const views = new LiveViews(() => {
      const view = new View();
      opened.push(view);
      return view;
    });
    for (let i = 0; i < 1_000; i++) {
      views.of(`name-${i}`);
      vi.advanceTimersByTime(1_000);
    }
    expect(opened.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(60);
  });

  it('closes them all, and looks no further', async () => {
    const views = new LiveViews(() => new View());
    const all = ['a', 'b'].map((name) => views.of(name));
    await views.close();
    expect(all.every(({ closed }) => closed)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
