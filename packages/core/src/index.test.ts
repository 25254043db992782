import * as client from '@coord/client';
import * as config from '@coord/config';
import * as configManager from '@coord/config-manager';
import * as grpcResolver from '@coord/grpc-resolver';
import * as lock from '@coord/lock';
import * as registry from '@coord/registry';
import { describe, expect, it } from 'vitest';
import * as shared from './global.js';
import * as core from './index.js';

const PACKAGES = { client, config, configManager, grpcResolver, lock, registry };

const OWN = [
  'closeOnSignal',
  'configCenterConfig',
  'configFromEnv',
  'createCoordinator',
  'defaultConfig',
  'developmentConfig',
  'distributedLockConfig',
  'productionConfig',
  'retryConfig',
  'serviceRegistryConfig',
  'testConfig',
];

describe('@coord/core', () => {
  it('exports its own functions and every name of every package, none of them twice', () => {
    const names = Object.values(PACKAGES).flatMap((entry) => Object.keys(entry));
    expect(new Set(names).size).toBe(names.length);
    expect(Object.keys(core).sort()).toEqual([...names, ...OWN].sort());
  });

  it('exports the very same things, so that instanceof works across entry points', () => {
    for (const entry of Object.values(PACKAGES)) expect(core).toMatchObject({ ...entry });
  });
});

describe('@coord/core/global', () => {
  it('exports what it promises, and nothing else', () => {
    expect(Object.keys(shared).sort()).toEqual([
      'acquireLock',
      'acquireReadLock',
      'acquireReentrantLock',
      'acquireWriteLock',
      'close',
      'closeOnSignal',
      'configure',
      'deregisterService',
      'discoverServices',
      'getConfig',
      'getServiceConnection',
      'ping',
      'registerService',
      'setConfig',
      'watchConfig',
    ]);
  });
});
