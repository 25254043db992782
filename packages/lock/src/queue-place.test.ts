import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type QueueList, QueuePlace } from './queue-place.js';

const keys = (...names: string[]) => names.map((key) => ({ key }));

describe('QueuePlace', () => {
  it('is the first when all before it have gone', () => {
    const place = new QueuePlace('me');
    expect(place.state).toBe('unknown');
    place.listed({ revision: 10n, present: true, ahead: keys('b', 'a') });
    place.deleted('a', 11n);
    expect(place.state).toBe('waiting');
    place.deleted('b', 12n);
    expect(place.state).toBe('first');
  });

  it('is not the first when the nearest gives up', () => {
    const place = new QueuePlace('me');
    place.listed({ revision: 10n, present: true, ahead: keys('b', 'a') });
    place.deleted('b', 11n);
    expect(place.state).toBe('waiting');
  });

  it('counts deletions that were told before the list arrived, if they happened after it', () => {
    const place = new QueuePlace('me');
    place.deleted('a', 9n);
    place.deleted('b', 11n);
    place.listed({ revision: 10n, present: true, ahead: keys('b', 'a') });
    expect(place.state).toBe('waiting');
    place.deleted('a', 12n);
    expect(place.state).toBe('first');
  });

  it('ignores the end of an earlier key of the same name, as Go makes them', () => {
    const place = new QueuePlace('me');
    place.listed({ revision: 10n, present: true, ahead: keys('go') });
    place.deleted('go', 8n);
    expect(place.state).toBe('waiting');
  });

  it('is gone when its own key is, by an event or by a list', () => {
    const told = new QueuePlace('me');
    told.listed({ revision: 10n, present: true, ahead: keys('a') });
    told.deleted('me', 11n);
    expect(told.state).toBe('gone');
    const seen = new QueuePlace('me');
    seen.listed({ revision: 10n, present: true, ahead: keys('a') });
    seen.listed({ revision: 20n, present: false, ahead: [] });
    expect(seen.state).toBe('gone');
  });

  it('finds out by a later list what no event has told', () => {
    const place = new QueuePlace('me');
    place.listed({ revision: 10n, present: true, ahead: keys('b', 'a') });
    place.listed({ revision: 20n, present: true, ahead: keys('a') });
    place.deleted('a', 21n);
    expect(place.state).toBe('first');
  });
});

describe('a list that arrives late', () => {
  it('brings nobody back who is known to have gone', () => {
    const place = new QueuePlace('me');
    place.listed({ revision: 10n, present: true, ahead: keys('b', 'a') });
    place.deleted('a', 11n);
    place.deleted('b', 13n);
    place.listed({ revision: 12n, present: true, ahead: keys('b') });
    expect(place.state).toBe('first');
  });
});

/** What can happen to a queue, and to what a contender is told of it. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: 'join' } as const) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('leave' as const), which: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('rejoin' as const), which: fc.nat(6) }) },
  { weight: 4, arbitrary: fc.constant({ type: 'tell' } as const) },
  { weight: 1, arbitrary: fc.constant({ type: 'drop' } as const) },
  { weight: 2, arbitrary: fc.constant({ type: 'read' } as const) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('answer' as const), which: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'delete mine' } as const) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A queue in etcd, its events on their way to a contender, and the lists it has asked for. */
class Model {
  readonly place = new QueuePlace('me');
  /** Key to create revision. */
  readonly queue = new Map<string, number>();
  #revision = 0;
  #made = 0;
  #untold: { key: string; revision: number }[] = [];
  #lists: QueueList[] = [];
  #joinedAt = 0;

  do(each: Step): void {
    const others = [...this.queue.keys()].filter((key) => key !== 'me');
    if (each.type === 'join') this.#put(`other-${this.#made++}`);
    else if (each.type === 'leave') this.#delete(others[each.which % others.length]);
    else if (each.type === 'rejoin') {
      const key = others[each.which % others.length];
      this.#delete(key);
      if (key !== undefined) this.#put(key);
    } else if (each.type === 'delete mine') this.#delete('me');
    else if (each.type === 'tell') this.#tell();
    else if (each.type === 'drop') this.#untold.shift();
    else if (each.type === 'read') this.read();
    else this.#answer(each.which);
  }

  joinMyself(): void {
    this.#put('me');
    this.#joinedAt = this.#revision;
  }

  read(): void {
    if (this.#joinedAt === 0) return;
    this.#lists.push({
      revision: BigInt(this.#revision),
      present: this.queue.get('me') === this.#joinedAt,
      ahead: this.before().map((key) => ({ key })),
    });
  }

  before(): string[] {
    return [...this.queue].filter(([, created]) => created < this.#joinedAt).map(([key]) => key);
  }

  tellAll(): void {
    while (this.#untold.length > 0) this.#tell();
    while (this.#lists.length > 0) this.#answer(0);
  }

  #tell(): void {
    const event = this.#untold.shift();
    if (event) this.place.deleted(event.key, BigInt(event.revision));
  }

  #answer(which: number): void {
    const [list] = this.#lists.splice(which % Math.max(1, this.#lists.length), 1);
    if (list) this.place.listed(list);
  }

  #put(key: string): void {
    this.#revision += 1;
    this.queue.set(key, this.#revision);
  }

  #delete(key: string | undefined): void {
    if (key === undefined || !this.queue.delete(key)) return;
    this.#revision += 1;
    this.#untold.push({ key, revision: this.#revision });
  }
}

describe('QueuePlace, told late, incompletely and out of step', () => {
  const run = fc.record({
    before: fc.array(step, { maxLength: 12 }),
    after: fc.array(step, { maxLength: 60 }),
  });

  it('never believes to be the first while another is before it', () => {
    fc.assert(
      fc.property(run, ({ before, after }) => {
        const model = new Model();
        for (const each of before) model.do(each);
        model.joinMyself();
        model.read();
        for (const each of after) {
          model.do(each);
          const { state } = model.place;
          if (state === 'first') expect(!model.queue.has('me') || model.before().length === 0).toBe(true);
          if (state === 'gone') expect(model.queue.has('me')).toBe(false);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('knows its place after one more look, whatever was not told', () => {
    fc.assert(
      fc.property(run, ({ before, after }) => {
        const model = new Model();
        for (const each of before) model.do(each);
        model.joinMyself();
        model.read();
        for (const each of after) model.do(each);
        model.read();
        model.tellAll();
        const expected = !model.queue.has('me') ? 'gone' : model.before().length === 0 ? 'first' : 'waiting';
        expect(model.place.state).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
