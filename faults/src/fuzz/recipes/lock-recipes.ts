import * as lock from '@coord/lock';
import { type Recipe, type Recipes, recipesOf } from '../recipe.js';
import type { Stage } from '../stage.js';

export function lockRecipes(stage: Stage): Recipes {
  const { locks } = stage;
  const key = () => [stage.name(), {}];
  const errors = Object.keys({ ...lock }).filter((name) => name.endsWith('Error'));
  const semaphore = () => locks.semaphore(stage.name(), { permits: 5 });
  const held: Readonly<Record<string, () => unknown>> = {
    Lock: () => locks.acquire(stage.name()),
    ReentrantLock: () => locks.acquireReentrant(stage.name()),
    ReadLock: () => locks.acquireReadLock(stage.name()),
    WriteLock: () => locks.acquireWriteLock(stage.name()),
    MultiLock: () => locks.acquireAll([stage.name(), stage.name()]),
    Permit: () => semaphore().acquire(2),
  };
  return {
    '@coord/lock createLocks': { on: () => lock, args: [() => [stage.client, {}]] },
    ...Object.fromEntries(
      errors.map((name) => [
        `@coord/lock ${name}.is`,
        { on: () => Reflect.get(lock, name), args: [() => [new Error('x')]], anything: /^0/ },
      ]),
    ),
    ...recipesOf('DistributedLock.', () => locks, {
      ...Object.fromEntries(ACQUIRING.map((name) => [name, { args: [key] }])),
      acquireAll: { args: [() => [[stage.name(), stage.name()], {}]] },
      tryAcquireAll: { args: [() => [[stage.name(), stage.name()], {}]] },
      semaphore: { args: [() => [stage.name(), { permits: 2 }]] },
      withLock: {
        args: [() => [stage.name(), () => 'done'], () => [stage.name(), {}, async () => 'done']],
      },
      inspect: { args: [() => [stage.name(), {}]] },
      list: { args: [() => ['', {}]] },
      forceRelease: { args: [() => [stage.name(), 1n, {}]] },
    }),
    'DistributedLock.close': { on: () => lock.createLocks(stage.client), args: [() => [{}]], usesUp: true },
    ...Object.assign({}, ...Object.entries(held).map(([owner, on]) => recipesOf(`${owner}.`, on, holding))),
    'ReentrantLock.reenter': { on: held.ReentrantLock ?? semaphore },
    'ReadLock.tryUpgrade': { on: held.ReadLock ?? semaphore, args: [() => [{}]], usesUp: true },
    'WriteLock.downgrade': { on: held.WriteLock ?? semaphore, args: [() => [{}]], usesUp: true },
    ...recipesOf('Semaphore.', semaphore, {
      acquire: { args: [() => [2, {}]] },
      tryAcquire: { args: [() => [2, {}]] },
      setPermits: { args: [() => [6, {}]], usesUp: true },
    }),
    ...Object.fromEntries(
      ['LockHolder.toJSON', 'ReadWriteHolder.toJSON', 'PermitHolder.toJSON'].map((name) => [
        name,
        { on: () => holder(stage, name) },
      ]),
    ),
  };
}

const ACQUIRING = [
  'acquire',
  'tryAcquire',
  'acquireReentrant',
  'acquireReadLock',
  'acquireWriteLock',
  'tryAcquireReadLock',
  'tryAcquireWriteLock',
];

const compare = { key: 'a', target: 'mod', is: '=', to: 0 } as const;
const holding: Readonly<Record<string, Omit<Recipe, 'on'>>> = {
  release: { args: [() => [{}]], usesUp: true },
  unlock: { args: [() => [{}]], usesUp: true },
  renew: { args: [() => [10_000, {}]] },
  isHeld: { args: [() => [{}]] },
  isExpired: { args: [() => [{}]] },
  ttl: {},
  assertHeld: {},
  txn: {
    args: [
      () => [
        { compare: [compare], success: [{ put: { key: 'a', value: 'x' } }], failure: [{ get: 'a' }] },
        {},
      ],
      () => [
        {
          success: [
            { get: { prefix: 'a' }, options: { sort: { by: 'key', order: 'ascend' } } },
            { delete: 'b' },
          ],
        },
        {},
      ],
      () => [{ success: [{ txn: { success: [{ put: { key: 'a', value: 'x' } }] } }] }, {}],
    ],
  },
  toJSON: {},
};

async function holder({ locks, name }: Stage, type: string): Promise<unknown> {
  const key = name();
  if (type === 'LockHolder.toJSON') await locks.acquire(key);
  else if (type === 'ReadWriteHolder.toJSON') await locks.acquireReadLock(key);
  else await locks.semaphore(key, { permits: 2 }).acquire();
  const { holder: mutex, readWrite, semaphore } = await locks.inspect(key);
  return mutex ?? readWrite?.holders[0] ?? semaphore?.holders[0];
}
