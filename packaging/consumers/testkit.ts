import { equal } from 'node:assert/strict';
import { connect } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';

async function main(): Promise<void> {
  const server: EtcdServer = await startEtcd();
  try {
    const client = await connect(server.connectOptions);
    await client.kv.put('/consumer', 'kept');
    await server.restart();
    await eventually(async () => equal((await client.kv.get('/consumer'))?.text(), 'kept'));
    await client.close();
  } finally {
    await server.stop();
  }
  console.log('done');
}

void main();
