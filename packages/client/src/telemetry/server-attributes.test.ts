import { expect, it } from 'vitest';
import { serverAttributes } from './server-attributes.js';

it('name the server in use, also after a move to another one', () => {
  let url = 'http://127.0.0.1:2379';
  const attributes = serverAttributes(() => url);
  const first = attributes();
  expect(first).toEqual({ 'server.address': '127.0.0.1', 'server.port': 2379 });
  expect(attributes()).toBe(first); // made once
  url = 'https://etcd-2.example:443';
  expect(attributes()).toEqual({ 'server.address': 'etcd-2.example', 'server.port': 443 });
  url = 'http://[::1]:80';
  expect(attributes()).toEqual({ 'server.address': '[::1]', 'server.port': 80 });
});
