import { TestkitError } from './errors.js';
import type { DockerTarget } from './reaper.js';

type Testcontainers = typeof import('testcontainers');
type RuntimeClient = Awaited<ReturnType<Testcontainers['getContainerRuntimeClient']>>;

/** testcontainers and the Docker that it found. @internal */
export interface ContainerRuntime {
  readonly testcontainers: Testcontainers;
  readonly client: RuntimeClient;
  /** Where published ports are. */
  readonly host: string;
  /** Undefined if Docker is reached in a way the reaper does not know. testcontainers' own reaper cleans up then. */
  readonly target: DockerTarget | undefined;
}

/**
 * @internal
 * @throws {TestkitError} `COORD_TESTKIT_CONTAINER_UNAVAILABLE`.
 */
export async function connectToContainers(): Promise<ContainerRuntime> {
  const testcontainers = await load();
  try {
    const client = await testcontainers.getContainerRuntimeClient();
    await client.container.dockerode.ping();
    const host = client.info.containerRuntime.host;
    return {
      testcontainers,
      client,
      host: host === 'localhost' ? '127.0.0.1' : host,
      target: dockerTarget(client.container.dockerode.modem),
    };
  } catch (error) {
    throw new TestkitError(
      'COORD_TESTKIT_CONTAINER_UNAVAILABLE',
      `Docker does not answer: ${error instanceof Error ? error.message : error}`,
      'start Docker, or use COORD_TEST_BACKEND=binary',
      { cause: error },
    );
  }
}

async function load(): Promise<Testcontainers> {
  try {
    return await import('testcontainers');
  } catch (error) {
    throw new TestkitError(
      'COORD_TESTKIT_CONTAINER_UNAVAILABLE',
      "the package 'testcontainers' cannot be loaded",
      'add it to your devDependencies (npm install --save-dev testcontainers), or use COORD_TEST_BACKEND=binary',
      { cause: error },
    );
  }
}

function dockerTarget(modem: unknown): DockerTarget | undefined {
  if (typeof modem !== 'object' || modem === null) return undefined;
  if ('socketPath' in modem && typeof modem.socketPath === 'string') return { socketPath: modem.socketPath };
  if (!('protocol' in modem && modem.protocol === 'http' && 'host' in modem && 'port' in modem))
    return undefined;
  return { host: String(modem.host), port: Number(modem.port) };
}
