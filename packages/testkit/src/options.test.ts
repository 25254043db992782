import { afterEach, expect, it, vi } from 'vitest';
import { containerImage } from './container-image.js';
import { mirrorIn } from './debian-packages.js';
import * as api from './index.js';
import { resolveStartOptions } from './options.js';
import { compareVersions, parseWantedVersion, versionMatches } from './version.js';

afterEach(() => vi.unstubAllEnvs());

it('exports what it promises', () => {
  expect(Object.keys(api).sort()).toEqual([
    'ChecksumMismatchError',
    'EtcdNotFoundError',
    'EtcdStartError',
    'TestkitError',
    'ensureEtcd',
    'eventually',
    'startCluster',
    'startEtcd',
    'startProxy',
  ]);
});

it('takes the options before the environment', () => {
  vi.stubEnv('COORD_ETCD_VERSION', 'v3.4');
  vi.stubEnv('COORD_TEST_BACKEND', 'testcontainers');
  expect(resolveStartOptions({})).toMatchObject({ version: '3.4', backend: 'testcontainers' });
  expect(resolveStartOptions({ version: '3.5.16', backend: 'binary' })).toMatchObject({
    version: '3.5.16',
    backend: 'binary',
  });
});

it('refuses what makes no sense', () => {
  vi.stubEnv('COORD_TEST_BACKEND', 'podman');
  expect(() => resolveStartOptions({})).toThrow(/podman/);
  expect(() => resolveStartOptions({ backend: 'binary', version: 'latest' })).toThrow(/latest/);
  expect(() => resolveStartOptions({ backend: 'binary', startTimeoutMs: 0 })).toThrow(/startTimeoutMs/);
  expect(() => resolveStartOptions({ backend: 'binary', authTokenTtlSeconds: 0.5 })).toThrow(/whole seconds/);
});

it('compares versions by their numbers', () => {
  expect(['3.5.9', '3.5.16', '3.4.23'].sort(compareVersions)).toEqual(['3.4.23', '3.5.9', '3.5.16']);
  expect(versionMatches('3.5.16', '3.5')).toBe(true);
  expect(versionMatches('3.5.16', '3.5.1')).toBe(false);
  expect(parseWantedVersion('v3.5')).toBe('3.5');
});

it('chooses the image by version, unless one with a tag is given', () => {
  expect(containerImage('3.4').name).toMatch(/\/etcd:v3\.4\.\d+$/);
  expect(containerImage('3.5.9').name).toMatch(/\/etcd:v3\.5\.9$/);
  vi.stubEnv('COORD_ETCD_IMAGE', 'mirror:5000/etcd');
  expect(containerImage('3.5.9')).toEqual({ name: 'mirror:5000/etcd:v3.5.9', version: '3.5.9' });
  vi.stubEnv('COORD_ETCD_IMAGE', 'mirror:5000/etcd:mine');
  expect(containerImage('3.5.9')).toEqual({ name: 'mirror:5000/etcd:mine', version: undefined });
});

it('reads the mirror from either form of apt sources', () => {
  const deb822 =
    'Types: deb\nURIs: http://mirror.example/debian-security http://mirror.example/debian/\nSuites: x';
  expect(mirrorIn(deb822)).toBe('http://mirror.example/debian');
  expect(
    mirrorIn('# deb http://no.example/debian x main\ndeb [signed-by=/k] https://m.example/debian x main'),
  ).toBe('https://m.example/debian');
  expect(mirrorIn('deb https://m.example/node x main')).toBeUndefined();
});
