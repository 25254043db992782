#!/usr/bin/env node
// One entry for every command of the workspace: each sets up what it needs by itself, then does its work.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Coord needs Node 20.19 or newer; this is ${process.version} (${process.execPath}).`);
  console.error('What to do: install a newer Node from https://nodejs.org, then run the command again.');
  process.exit(1);
}

const { main } = await import('./lib/main.mjs');
process.exitCode = await main(process.argv.slice(2));
