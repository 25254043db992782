import { expect, it } from 'vitest';
import { commandsOf, problemOf } from './shell-commands.js';

it.each([
  ['npm run demo   # all of it', [['npm', 'run', 'demo']]],
  ['$ etcdctl get "a b" \'c #d\' --prefix', [['etcdctl', 'get', 'a b', 'c #d', '--prefix']]],
  ['docker run \\\n  -p 2379:2379 etcd', [['docker', 'run', '-p', '2379:2379', 'etcd']]],
  ['A=1 npm test && npm run lint | cat', [['npm', 'test'], ['npm', 'run', 'lint'], ['cat']]],
  ['# nothing\n\nexport A=1', [['export', 'A=1']]],
])('%j is read as a shell would', (code, commands) => {
  expect(commandsOf(code)).toEqual(commands);
});

it.each([
  ['npm run lint'],
  ['npm test -- packages/lock'],
  ['npm run bench -- lock --go /tmp/go-peer'],
  ['npm run example -- config-manager'],
  ['npm install @coord/core @grpc/grpc-js'],
  ['npm install --save-dev @coord/testkit@0.1.0'],
])('%s can be typed', (line) => {
  expect(commandsOf(line).map(problemOf)).toEqual([undefined]);
});

it.each([
  ['npm run lintt', 'no script'],
  ['npm run bench -- locks', 'no bench/locks.ts'],
  ['npm run example -- nothing', 'no examples/nothing.ts'],
  ['npm install @coord/locks', '@coord/locks'],
  ['npm frobnicate', 'not known'],
  ['ectdctl get a', 'ectdctl'],
])('%s is found out', (line, problem) => {
  expect(commandsOf(line).map(problemOf)).toEqual([expect.stringContaining(problem)]);
});
