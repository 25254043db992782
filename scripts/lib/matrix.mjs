import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { checkSources } from './checks.mjs';
import { Interrupted, runChild } from './child.mjs';
import { etcdEnvironment, prepareEtcd } from './etcd.mjs';
import { NODES, nodeOfMajor } from './nodes.mjs';
import { runPackageChecks } from './packages.mjs';
import { Failure, reportFailure, say } from './say.mjs';
import { endWithCounts } from './tests.mjs';
import { runVitest } from './vitest.mjs';

const ETCDS = ['3.4', '3.5'];
const SCHEDULES = '100000';
const BACKENDS = ['binary', 'testcontainers'];

/** `npm run test:full`: every Node on every etcd, testcontainers where Docker answers, then the packed packages. */
export async function commandFull(args) {
  return endWithCounts(async () => {
    const { nodes, etcds, backends, packages, vitestArgs } = parse(args);
    await build();
    await checkSources();
    // Asked for in parts, as CI does, it is built once, by a command of its own.
    if (args.length === 0) await buildDocs();
    const rows = [];
    if (backends.includes('binary')) {
      for (const etcd of etcds) for (const node of nodes) rows.push(await binaryCell(node, etcd, vitestArgs));
    }
    if (backends.includes('testcontainers')) {
      const required = backends.length === 1; // asked for by name
      rows.push(await containerCell(etcds.at(-1), vitestArgs, required));
    }
    if (packages) rows.push(await packagesCell(nodes, etcds.at(-1)));
    if (args.length === 0) rows.push(await schedulesCell());
    say(`\n${table(rows)}`);
    const sum = (name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);
    return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
  });
}

function parse(args) {
  const several = { type: 'string', multiple: true };
  try {
    const options = { node: several, etcd: several, backend: several, 'no-packages': { type: 'boolean' } };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const { node: nodes = NODES, etcd: etcds = ETCDS, backend: backends = BACKENDS } = values;
    const unknown = backends.find((backend) => !BACKENDS.includes(backend));
    if (unknown) throw new Error(`There is no backend "${unknown}".`);
    const packages = backends.includes('binary') && positionals.length === 0 && !values['no-packages'];
    return { nodes, etcds, backends, packages, vitestArgs: positionals };
  } catch (cause) {
    const remedy = `npm run test:full -- [--node 22] [--etcd 3.5] [--backend ${BACKENDS.join('|')}] [--no-packages] [file …]; options may be repeated`;
    throw new Failure(cause.message, { remedy, cause });
  }
}

async function binaryCell(node, etcdVersion, vitestArgs) {
  say(`\n=== Node ${node}, etcd ${etcdVersion} ===`);
  return cell({ node, etcd: etcdVersion, backend: 'binary' }, async () => {
    const etcd = await prepareEtcd(etcdVersion);
    const env = { ...etcdEnvironment(etcd), COORD_ETCD_VERSION: etcd.version, COORD_TEST_BACKEND: 'binary' };
    const counts = await runVitest(vitestArgs, { node: await nodeOfMajor(node), env });
    return { ...counts, etcd: etcd.version };
  });
}

async function containerCell(etcdVersion, vitestArgs, required) {
  const row = { node: process.versions.node.split('.')[0], etcd: etcdVersion, backend: 'testcontainers' };
  say(`\n=== testcontainers, etcd ${etcdVersion} ===`);
  if (!(await dockerAnswers())) {
    say('NOT RUN: Docker does not answer here, so the testcontainers backend stays untested.');
    say('What to do: start Docker, see that "docker info" works, and run the command again.');
    return { ...row, failed: required ? 1 : undefined, note: 'NOT RUN: no Docker' };
  }
  return cell(row, () =>
    runVitest(['--project', 'etcd', ...vitestArgs], {
      env: { COORD_TEST_BACKEND: 'testcontainers', COORD_ETCD_VERSION: etcdVersion },
    }),
  );
}

async function packagesCell(nodes, etcdVersion) {
  say(`\n=== the packages as they are installed, Node ${nodes.join(', ')} ===`);
  const row = { node: process.versions.node.split('.')[0], etcd: etcdVersion, backend: 'packages' };
  return cell(row, () => runPackageChecks({ nodes, etcdVersion }));
}

/** Many more of the generated schedules than fit into `npm test`. */
async function schedulesCell() {
  say(`\n=== ${SCHEDULES} schedules of each state machine ===`);
  return cell({ node: process.versions.node.split('.')[0], etcd: '-', backend: 'schedules' }, () =>
    runVitest(['--project', 'unit', '.schedules.test.ts'], { env: { COORD_RUNS: SCHEDULES } }),
  );
}

/** Runs one cell; what keeps it from running is a failure of that cell and leaves the others alone. */
async function cell(row, work) {
  const started = performance.now();
  let counts = { passed: 0, failed: 1, skipped: 0, nodes: [], note: 'DID NOT RUN' };
  try {
    counts = await work();
    const foreign = counts.nodes.filter((version) => version.split('.')[0] !== `v${row.node}`);
    if (foreign.length > 0)
      throw new Failure(`The tests ran on Node ${foreign.join(', ')}, not on ${row.node}`);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    reportFailure(error);
    counts = { ...counts, failed: Math.max(counts.failed, 1) };
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  return { ...row, ...counts, node: counts.nodes.join(' ') || row.node, seconds };
}

async function dockerAnswers() {
  try {
    return (await runChild('docker', ['info'])).code === 0;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return false;
  }
}

function table(rows) {
  const heads = ['node', 'etcd', 'backend', 'passed', 'failed', 'seconds'];
  const lines = rows.map((row) => [...heads.map((head) => String(row[head] ?? '-')), row.note ?? '']);
  const widths = heads.map((head, i) => Math.max(head.length, ...lines.map((line) => line[i].length)));
  const format = (line) =>
    line
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [format(heads), ...lines.map(format)].join('\n');
}
