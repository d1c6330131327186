// Talks to accountd by NestJS's ClientKafka as it comes: correlation id and reply partition travel as text, the
// reply topic is always the command topic's name with ".reply". Exits with 0 when every reply is right, else 1.
'use strict';

const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');

require('reflect-metadata');
const { Logger } = require('@nestjs/common');
const { ClientKafka } = require('@nestjs/microservices');
const { lastValueFrom, timeout } = require('rxjs');

const TIMEOUT_MS = 20000;
const [brokers, commands, app] = process.argv.slice(2);
const replies = `${commands}.reply`;

Logger.overrideLogger(['error', 'warn']);

async function connect() {
  const client = new ClientKafka({
    client: { brokers: [brokers] },
    // A member learns that the other one has joined by its heartbeat, which waits for a fetch to end.
    consumer: { groupId: `nest-${app}`, heartbeatInterval: 200, maxWaitTimeInMs: 100 },
  });
  client.subscribeToResponseOf(commands);
  await client.connect();
  return client;
}

// Both instances are of one group: each has partitions of its own, and asks for replies there.
async function settled(clients) {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    const partitions = clients.map((client) => client.getConsumerAssignments()[replies]);
    if (!partitions.includes(undefined) && new Set(partitions).size === clients.length) {
      return;
    }
    assert.ok(Date.now() < deadline, `partitions of ${replies} after ${TIMEOUT_MS} ms: ${partitions}`);
    await sleep(50);
  }
}

// lastValueFrom waits for the end of the stream, which the header kafka_nest-is-disposed brings.
function send(client, key, value) {
  return lastValueFrom(client.send(commands, { key, value }).pipe(timeout(TIMEOUT_MS)));
}

async function main() {
  const clients = [await connect(), await connect()];
  try {
    await settled(clients);

    const created = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        send(clients[i % 2], `nest-${i}`, { op: 'create', app, account: `nest-${i}`, profile: { level: i } })),
    );
    created.forEach((reply, i) => {
      assert.equal(reply.account, `nest-${i}`);
      assert.equal(reply.status, 'ok', JSON.stringify(reply));
    });

    const read = await send(clients[1], 'nest-7', { op: 'get', app, account: 'nest-7' });
    assert.deepEqual(read.record.profile, { level: 7 });

    const refused = await send(clients[0], 'nest-7', { op: 'create', app, account: 'nest-7' });
    assert.equal(refused.error.code, 'account_exists', JSON.stringify(refused));
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

main().then(
  () => console.log('ok'),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
