/**
 * The program of the reaper process, run with `node -e` so that it needs no file: it works from source, from a
 * build and from an installed tarball alike. It reads one JSON object a line on its standard input:
 * `{"guard": {"id", "folder", "dockerLabel"?, "docker"?}}` or `{"release": "<id>"}`. At the end of its input its parent is gone, or done:
 * it then kills what is still guarded, removes the folders, and exits.
 *
 * A guarded etcd is recognised by its exact `--data-dir=<folder>/data` argument, never by a process id alone, which
 * another process could have by then.
 */
export const REAPER_SCRIPT = `
const { readFileSync, readdirSync, rmSync } = require('node:fs');
const { execFileSync } = require('node:child_process');
const { request } = require('node:http');
const guarded = new Map();
let rest = '';

function commandLines() {
  try {
    return readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map((pid) => {
      try { return { pid: Number(pid), args: readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\\0') }; }
      catch { return { pid: 0, args: [] }; }
    });
  } catch {
    try {
      return execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' }).split('\\n').map((line) => {
        const [pid, ...args] = line.trim().split(' ');
        return { pid: Number(pid), args };
      });
    } catch { return []; }
  }
}

function killHolders(folder) {
  const mark = '--data-dir=' + folder + '/data';
  const holders = commandLines().filter((p) => p.pid > 1 && p.args.includes(mark));
  for (const { pid } of holders) {
    for (const signal of ['SIGKILL', 'SIGCONT']) { try { process.kill(pid, signal); } catch {} }
  }
  return holders.length;
}

function docker(target, method, path) {
  return new Promise((resolve) => {
    const call = request({ ...target, method, path, timeout: 10000 }, (response) => {
      let body = '';
      response.on('data', (chunk) => { body += chunk; });
      response.on('end', () => resolve(body));
      response.on('error', () => resolve(''));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(''));
    call.end();
  });
}

async function removeContainers({ docker: target, dockerLabel }) {
  const filters = encodeURIComponent(JSON.stringify({ label: [dockerLabel] }));
  let containers = [];
  try { containers = JSON.parse(await docker(target, 'GET', '/containers/json?all=true&filters=' + filters)); } catch {}
  for (const { Id } of Array.isArray(containers) ? containers : []) {
    await docker(target, 'DELETE', '/containers/' + Id + '?force=true&v=true');
  }
  return containers.length;
}

async function sweep() {
  let quiet = 0;
  for (let round = 0; round < 100 && quiet < 2 && guarded.size > 0; round++) {
    let found = 0;
    for (const entry of guarded.values()) {
      found += killHolders(entry.folder);
      if (entry.docker) found += await removeContainers(entry);
    }
    quiet = found === 0 ? quiet + 1 : 0;
    if (quiet < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const { folder } of guarded.values()) {
    try { rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }); } catch {}
  }
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\\n');
  rest = lines.pop();
  for (const line of lines) {
    const message = JSON.parse(line);
    if (message.guard) guarded.set(message.guard.id, message.guard);
    else guarded.delete(message.release);
  }
});
process.stdin.once('error', sweep);
process.stdin.once('end', sweep);
`;
