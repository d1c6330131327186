/* The floor: what Kafka and Redis themselves cost. Commands are consumed in batches, and for each account
 * that one is about the fields that accountd would write go to Redis, pipelined; then a reply of the size of
 * accountd's, and the offsets. Nothing is decoded, checked, read or guaranteed: what is written is always the
 * same.
 *
 *   floor BROKERS GROUP COMMANDS REPLIES REDIS_PORT THREADS REPLY_BYTES CREATED [FIELD VALUE]...
 *
 * CREATED (1 or 0): accounts are also entered into the index. Without fields there is neither Redis nor a
 * reply, and what is left is the plain consume rate. Ends by a signal. */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "kafka.h"

#define BATCH_MAX  2000
#define FIELDS_MAX 32
#define TIMEOUT_MS 10

static struct {
    const char *brokers;
    const char *group;
    const char *commands;
    const char *replies;
    int redis_port;
    size_t reply_bytes;
    bool created;
    int field_count; /* names and values */
    const char *fields[FIELDS_MAX];
    size_t lengths[FIELDS_MAX];
} plan;

struct thread {
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    rd_kafka_t *producer;
    rd_kafka_topic_t *replies;
    redisContext *redis;
    const char **index; /* arguments of one ZADD for a batch */
    size_t *index_lengths;
    int indexed;
    char *names;
    char reply[BENCH_COMMAND_MAX];
};

static void redis_check(const struct thread *thread, int result)
{
    if (result != REDIS_OK)
        bench_die("redis: %s", thread->redis->errstr);
}

static void enter_into_index(struct thread *thread, const char *name, size_t len)
{
    char *copy = thread->names + (size_t)thread->indexed * BENCH_KEY_MAX;

    memcpy(copy, name, len);
    thread->index[thread->indexed] = "1767323045006";
    thread->index_lengths[thread->indexed++] = 13;
    thread->index[thread->indexed] = copy;
    thread->index_lengths[thread->indexed++] = len;
}

/* One account into the pipeline; the number of answers to come. */
static int append_account(struct thread *thread, const char *name, size_t len)
{
    const char *values[FIELDS_MAX + 2] = {"HSET"};
    size_t lengths[FIELDS_MAX + 2] = {4};
    char key[64];

    values[1] = key;
    lengths[1] = (size_t)snprintf(key, sizeof(key), "acct:{demo}:%.*s", (int)len, name);
    memcpy(values + 2, plan.fields, (size_t)plan.field_count * sizeof(*values));
    memcpy(lengths + 2, plan.lengths, (size_t)plan.field_count * sizeof(*lengths));
    redis_check(thread, redisAppendCommandArgv(thread->redis, plan.field_count + 2, values, lengths));
    if (plan.created)
        enter_into_index(thread, name, len);
    return 1;
}

/* The key tells the account, or the block of accounts. */
static int append_command(struct thread *thread, const rd_kafka_message_t *message)
{
    const char *key = message->key;
    char name[BENCH_KEY_MAX];
    int count = 0;
    unsigned long block;

    if (*key != 'b')
        return append_account(thread, key, message->key_len);
    snprintf(name, sizeof(name), "%.*s", (int)message->key_len - 6, key + 6);
    block = strtoul(name, NULL, 10);
    for (unsigned i = 0; i < BENCH_BLOCK; i++) {
        int len = snprintf(name, sizeof(name), "user-%08lu", block * BENCH_BLOCK + i);

        count += append_account(thread, name, (size_t)len);
    }
    return count;
}

static int append_index(struct thread *thread)
{
    int count = thread->indexed;

    thread->indexed = 2;
    if (count == 2)
        return 0;
    redis_check(thread, redisAppendCommandArgv(thread->redis, count, thread->index, thread->index_lengths));
    return 1;
}

static void send_pipeline(struct thread *thread)
{
    int done = 0;

    while (!done)
        redis_check(thread, redisBufferWrite(thread->redis, &done));
}

static void read_answers(struct thread *thread, int count)
{
    for (; count > 0; count--) {
        redisReply *reply = NULL;

        redis_check(thread, redisGetReply(thread->redis, (void **)&reply));
        if (reply->type == REDIS_REPLY_ERROR)
            bench_die("redis: %s", reply->str);
        freeReplyObject(reply);
    }
}

static void produce_reply(struct thread *thread, const rd_kafka_message_t *command)
{
    while (rd_kafka_produce(thread->replies, command->partition, RD_KAFKA_MSG_F_COPY, thread->reply,
                            plan.reply_bytes, command->key, command->key_len, NULL) != 0)
        rd_kafka_poll(thread->producer, 1);
}

/* Redis works at what was sent while the replies are produced. */
static void apply(struct thread *thread, rd_kafka_message_t **messages, ssize_t count)
{
    int answers = 0;

    for (ssize_t i = 0; i < count; i++)
        answers += append_command(thread, messages[i]);
    answers += append_index(thread);
    send_pipeline(thread);
    for (ssize_t i = 0; i < count; i++)
        produce_reply(thread, messages[i]);
    rd_kafka_poll(thread->producer, 0);
    read_answers(thread, answers);
}

static void check_messages(rd_kafka_message_t **messages, ssize_t count)
{
    for (ssize_t i = 0; i < count; i++)
        if (messages[i]->err)
            bench_die("consume: %s", rd_kafka_message_errstr(messages[i]));
}

static void *run(void *context)
{
    struct thread *thread = context;
    rd_kafka_message_t *messages[BATCH_MAX];

    for (;;) {
        ssize_t count = rd_kafka_consume_batch_queue(thread->queue, TIMEOUT_MS, messages, BATCH_MAX);

        if (count <= 0)
            continue;
        check_messages(messages, count);
        if (plan.field_count > 0)
            apply(thread, messages, count);
        for (ssize_t i = 0; i < count; i++)
            rd_kafka_message_destroy(messages[i]);
        /* What was consumed, without waiting for the answer. */
        rd_kafka_commit(thread->consumer, NULL, 1);
    }
    return NULL;
}

static void start(void)
{
    /* Few replies are on their way when their offsets are committed, or the last ones would not be measured.
     */
    const char *producer[] = {"queue.buffering.max.messages=4000", "linger.ms=2", NULL};
    char group[256];
    const char *consumer[] = {group,
                              "enable.auto.commit=false",
                              "auto.offset.reset=earliest",
                              "check.crcs=true",
                              "queued.max.messages.kbytes=16384",
                              "partition.assignment.strategy=range",
                              NULL};
    struct thread *thread = calloc(1, sizeof(*thread));
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    pthread_t id;

    snprintf(group, sizeof(group), "group.id=%s", plan.group);
    memset(thread->reply, 'r', sizeof(thread->reply));
    thread->index = calloc(2 * BATCH_MAX * BENCH_BLOCK + 2, sizeof(*thread->index));
    thread->index_lengths = calloc(2 * BATCH_MAX * BENCH_BLOCK + 2, sizeof(*thread->index_lengths));
    thread->names = malloc((size_t)2 * BATCH_MAX * BENCH_BLOCK * BENCH_KEY_MAX);
    thread->index[0] = "ZADD";
    thread->index_lengths[0] = 4;
    thread->index[1] = "accounts:{demo}";
    thread->index_lengths[1] = 15;
    thread->indexed = 2;
    if (plan.field_count > 0) {
        thread->producer = bench_client(RD_KAFKA_PRODUCER, plan.brokers, producer, NULL, NULL);
        thread->replies = rd_kafka_topic_new(thread->producer, plan.replies, NULL);
        thread->redis = redisConnect("127.0.0.1", plan.redis_port);
        redis_check(thread, thread->redis->err);
    }
    thread->consumer = bench_client(RD_KAFKA_CONSUMER, plan.brokers, consumer, NULL, NULL);
    thread->queue = rd_kafka_queue_get_consumer(thread->consumer);
    rd_kafka_topic_partition_list_add(topics, plan.commands, RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(thread->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    pthread_create(&id, NULL, run, thread);
}

int main(int argc, char **argv)
{
    if (argc < 9 || argc - 9 > FIELDS_MAX || argc % 2 == 0)
        bench_die("usage: floor BROKERS GROUP COMMANDS REPLIES REDIS_PORT THREADS REPLY_BYTES CREATED [FIELD "
                  "VALUE]...");
    plan.brokers = argv[1];
    plan.group = argv[2];
    plan.commands = argv[3];
    plan.replies = argv[4];
    plan.redis_port = atoi(argv[5]);
    plan.reply_bytes = strtoul(argv[7], NULL, 10);
    plan.created = argv[8][0] == '1';
    if (plan.reply_bytes > BENCH_COMMAND_MAX)
        bench_die("a reply has at most %d bytes", BENCH_COMMAND_MAX);
    for (int i = 9; i < argc; i++) {
        plan.fields[plan.field_count] = argv[i];
        plan.lengths[plan.field_count++] = strlen(argv[i]);
    }
    for (int i = 0; i < atoi(argv[6]); i++)
        start();
    for (;;)
        pause();
}
