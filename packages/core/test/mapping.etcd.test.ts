/**
 * Coord unites the designs of two Go libraries. Each item of theirs is used here once against a real etcd: one
 * `describe` for each row of the two tables, one `it` for each item, by its name in Go.
 */
import { describe } from 'vitest';
import { configOfA, configOfB } from './mapping/config.js';
import { connectionsOfB, strategiesOfA } from './mapping/connections.js';
import { coordinatorOfA, coordinatorOfB } from './mapping/coordinator.js';
import { errorsOfA, figuresOfB, logsOfB } from './mapping/errors-and-logs.js';
import { globalMethods, newPingClose } from './mapping/global.js';
import { locksOfA, locksOfB } from './mapping/locks.js';
import { health, registryOfA, registryOfB } from './mapping/registry.js';
import { optionsOfA, optionsOfB, presetsOfA } from './mapping/settings.js';
import { useStage } from './mapping/stage.js';

const stage = useStage();

describe('A: coordination', () => {
  newPingClose(stage);
  globalMethods(stage);
  coordinatorOfA(stage);
  registryOfA(stage);
  health(stage);
  strategiesOfA(stage);
  locksOfA(stage);
  configOfA(stage);
  presetsOfA(stage);
  optionsOfA(stage);
  errorsOfA(stage);
});

describe('B: coord', () => {
  coordinatorOfB(stage);
  locksOfB(stage);
  registryOfB(stage);
  connectionsOfB(stage);
  configOfB(stage);
  optionsOfB(stage);
  logsOfB(stage);
  figuresOfB();
});
