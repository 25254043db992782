import { readFileSync } from 'node:fs';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConfigManager, createCoordinator } from '../src/index.js';
import { InMemorySdk } from './telemetry-sdk.js';

const PAGE = new URL('../../../docs/guide/observability.md', import.meta.url);
const DASHBOARD = new URL('../../../docs/grafana/coord-dashboard.json', import.meta.url);

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly description?: string;
    readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

const dashboard: Dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8'));
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const targets = panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

let etcd: EtcdServer;
let sdk: InMemorySdk;
/** What Prometheus would be given: the labels that were seen with each name. */
const exported = new Map<string, Set<string>>();
let measured: Awaited<ReturnType<InMemorySdk['metrics']>>;

/** Does once everything that is measured. */
beforeAll(async () => {
  etcd = await startEtcd();
  sdk = new InMemorySdk();
  const coordinator = await createCoordinator({ ...etcd.connectOptions, enableMetrics: true });
  const { client, config, lock, registry } = coordinator;
  const held = await lock.acquire('dash');
  await lock.tryAcquire('dash').catch(() => undefined);
  await held.release();
  const manager = createConfigManager({
    config,
    env: 'test',
    service: 'dash',
    component: 'a',
    defaults: { port: 1 },
    validate: ({ port }) => {
      if (port > 9) throw new Error('too high');
    },
  });
  await manager.start();
  for (const port of [2, 10]) {
    const { version } = await config.set('test/dash/a', { port });
    await manager.waitFor(version).catch(() => undefined);
  }
  await manager.stop();
  await registry.register({ name: 'dash', address: '127.0.0.1', port: 1 });
  const connection = await coordinator.getConnection('dash');
  connection.waitForReady({ timeoutMs: 60_000 }).catch(() => undefined); // nobody is there
  await eventually(async () => expect(await sdk.points('coord.resolver.updates')).not.toEqual([]));
  const watch = client.watch('dash');
  await watch.ready;
  await client.kv.put('dash', '1');
  await watch[Symbol.asyncIterator]().next();
  await client.kv.get('').catch(() => undefined);
  const session = await client.session({ ttlMs: 60_000 });
  await etcd.etcdctl(['lease', 'revoke', session.leaseId.toString(16)]);
  await session.keepAlive().catch(() => undefined);
  await eventually(() => expect(session.state).toBe('lost'));
  measured = await sdk.metrics();
  const text = new PrometheusSerializer().serialize(await sdk.collect());
  for (const line of text.split('\n')) {
    const [, name, labels = ''] = /^([a-z]\w*)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const known = exported.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    exported.set(name, known);
  }
  await coordinator.close();
});
afterAll(async () => {
  await sdk?.stop();
  await etcd?.stop();
});

/** The names that a selector can match, of all that are exported. */
function matches(selector: string): readonly string[] {
  const [, operator, pattern = ''] = /__name__(=~|=)"([^"]+)"/.exec(selector) ?? [];
  const wanted =
    operator === '='
      ? (name: string) => name === pattern
      : (name: string) => new RegExp(`^(?:${pattern})$`).test(name);
  return [...exported.keys()].filter(wanted);
}

const selectorsOf = (expr: string) => [...expr.matchAll(/\{[^{}]*\}/g)].map(([selector]) => selector);
/** Prometheus adds these to whatever it scrapes. */
const SCRAPED = ['job', 'instance'];

it('the page has every metric, with its unit and attributes, and no other', () => {
  const [, section = ''] = readFileSync(PAGE, 'utf8').split('## Metrics');
  const rows = [...section.matchAll(/^\| `((?:coord|db)\.[\w.]+)` .*$/gm)];
  expect(rows.map(([, name]) => name).sort()).toEqual([...measured.keys()].sort());
  for (const [row, name = ''] of rows) {
    const { unit, points } = measured.get(name) ?? expect.fail(name);
    expect(/\b(histogram|gauge), s\b/.test(row), row).toBe(unit === 's');
    for (const attribute of points.flatMap(({ attributes }) => Object.keys(attributes))) {
      expect(row).toContain(`\`${attribute}\``);
    }
  }
});

describe('the dashboard', () => {
  it.each(targets)(
    '$title: $legendFormat: each metric and label is one that is exported',
    ({ expr, legendFormat }) => {
      const selectors = selectorsOf(expr);
      expect(selectors.length).toBeGreaterThan(0);
      const labels = new Set(SCRAPED);
      for (const selector of selectors) {
        const names = matches(selector);
        expect(names, selector).toHaveLength(1); // and so it would be with the names of the Collector
        for (const name of names) for (const label of exported.get(name) ?? []) labels.add(label);
        const used = [...selector.matchAll(/[{,]\s*(\w+)(?:=~|!=|=)/g)].map(([, label]) => label);
        expect([...labels, '__name__']).toEqual(expect.arrayContaining(used));
      }
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
      const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      expect([...labels]).toEqual(expect.arrayContaining([...grouped, ...legend]));
    },
  );

  it('shows every metric that Coord has', () => {
    const shown = new Set(targets.flatMap(({ expr }) => selectorsOf(expr).flatMap(matches)));
    const bare = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
    const own = [...exported.keys()].filter((name) => /^(coord|db)_/.test(name)).map(bare);
    expect(own.length).toBeGreaterThan(10);
    expect([...new Set(own)].filter((name) => ![...shown].map(bare).includes(name))).toEqual([]);
  });

  it('lets the data source and the job be chosen, and every panel says what it shows', () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'job']);
    const [definition = ''] = dashboard.templating.list.flatMap((variable) => variable.definition ?? []);
    expect(selectorsOf(definition).flatMap(matches)).toHaveLength(1);
    for (const { description, title } of panels) expect(description, title).toMatch(/\.$/);
    for (const { expr } of targets) {
      expect(expr).not.toMatch(/\{(?![^{}]*job=~"\$job")[^{}]*\}/);
      expect(expr.replaceAll(/[^()]/g, '').length % 2).toBe(0);
    }
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('no panel lies upon another', () => {
    for (const [index, { gridPos: a, title }] of dashboard.panels.entries()) {
      expect(a.x + a.w).toBeLessThanOrEqual(24);
      for (const { gridPos: b } of dashboard.panels.slice(index + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, title).toBe(true);
      }
    }
  });
});
