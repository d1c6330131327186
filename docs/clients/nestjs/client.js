// Talks to accountd by NestJS's ClientKafka as it comes: correlation id and reply partition travel as text, the
// reply topic is always the command topic's name with ".reply". Exits with 0 when every reply is right, else 1.
//
//   node client.js BROKERS TOPICS APP FILE
//
// TOPICS is what the topics' names begin with: "account" for account.commands and account.exports.
'use strict';

const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { writeFile } = require('node:fs/promises');
const { setTimeout: sleep } = require('node:timers/promises');

require('reflect-metadata');
const { Logger } = require('@nestjs/common');
const { ClientKafka } = require('@nestjs/microservices');
const { Kafka, logLevel } = require('kafkajs');
const { lastValueFrom, timeout } = require('rxjs');

const TIMEOUT_MS = 20000;
const [brokers, topics, app, file] = process.argv.slice(2);
const commands = `${topics}.commands`;
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

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// The file of the export that ask() asks for, whole and checked, and its manifest.
async function fetchExport(ask) {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR });
  const topic = `${topics}.exports`;
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();

  const { export: manifest, status } = await ask();
  assert.equal(status, 'ok');
  const chunks = new Map();
  // The group is thrown away: kafkajs knows no other way to read partitions.
  const consumer = kafka.consumer({ groupId: `export-${process.pid}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const whole = new Promise((resolve, reject) => {
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ message: { headers, value } }) => {
        // After a crash of accountd an export may come once more: the manifest names the attempt that counts.
        if (String(headers['export-source']) !== manifest.source || headers['export-manifest'] ||
            Number(headers['export-attempt']) !== manifest.attempt) {
          return;
        }
        if (sha256(value) !== String(headers['export-sha256'])) {
          reject(new Error(`chunk ${headers['export-seq']} is not as it was sent`));
        }
        chunks.set(Number(headers['export-seq']), value);
        if (chunks.size === manifest.chunks) {
          resolve();
        }
      },
    });
    ends.forEach(({ partition, high }) => consumer.seek({ topic, partition, offset: high }));
    sleep(TIMEOUT_MS, undefined, { ref: false }).then(() => reject(new Error('no file of the export')));
  });
  try {
    await whole;
  } finally {
    await consumer.disconnect();
  }
  const content = Buffer.concat([...chunks.keys()].sort((a, b) => a - b).map((number) => chunks.get(number)));
  assert.equal(sha256(content), manifest.sha256);
  return { manifest, content };
}

// What the other clients show, too.
async function converse(client) {
  const ask = (key, command) => send(client, key, { app, ...command });
  const created = await ask('alice', { op: 'create', account: 'alice', profile: { nickname: 'Alice', level: 3 } });
  console.log(`created alice, revision ${created.revision}`);
  const edit = { op: 'edit', account: 'alice', if_revision: 1, profile: { level: 4, nickname: null } };
  console.log(`edited alice, revision ${(await ask('alice', edit)).revision}`);
  const refused = await ask('nobody', { op: 'edit', account: 'nobody', profile: { level: 4 } });
  console.log(`refused, ${refused.error.code}`);

  const { rows } = await ask('list', { op: 'list' });
  const accounts = rows.map((row) => row.account);
  const { manifest, content } = await fetchExport(() => ask('export', { op: 'export', accounts }));
  await writeFile(file, content);
  console.log(`exported ${manifest.accounts} accounts in ${manifest.chunks} chunks`);
}

async function main() {
  const clients = [await connect(), await connect()];
  try {
    await settled(clients);
    await converse(clients[0]);

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
