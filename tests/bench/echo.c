/* The least that exactly-once costs: what is there of the commands is taken, and each gets a reply of the
 * size of accountd's in one transaction with the offsets. No Redis, nothing decoded or decided, no changelog.
 * The clients are set up as accountd's are.
 *
 *   echo BROKERS GROUP COMMANDS REPLIES THREADS REPLY_BYTES
 *
 * Ends by a signal. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "kafka.h"

#define BATCH_MAX  2000
#define WAIT_MS    100
#define TIMEOUT_MS 10000

struct thread {
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    rd_kafka_t *producer;
    rd_kafka_topic_t *replies;
    const char *commands;
    size_t reply_bytes;
    char reply[BENCH_COMMAND_MAX];
};

/* To the partition of the command, with the header that tells whose reply it is. */
static void produce_reply(struct thread *thread, const rd_kafka_message_t *command)
{
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_resp_err_t failure;

    if (!rd_kafka_message_headers(command, &headers))
        headers = rd_kafka_headers_copy(headers);
    failure = rd_kafka_producev(
        thread->producer, RD_KAFKA_V_RKT(thread->replies), RD_KAFKA_V_PARTITION(command->partition),
        RD_KAFKA_V_KEY(command->key, command->key_len), RD_KAFKA_V_VALUE(thread->reply, thread->reply_bytes),
        RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (failure)
        bench_die("produce: %s", rd_kafka_err2str(failure));
}

static void answer(struct thread *thread, rd_kafka_message_t **messages, ssize_t count)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(4);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(thread->consumer);

    bench_check(rd_kafka_begin_transaction(thread->producer));
    for (ssize_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *next =
            rd_kafka_topic_partition_list_find(offsets, thread->commands, messages[i]->partition);

        if (messages[i]->err)
            bench_die("consume: %s", rd_kafka_message_errstr(messages[i]));
        if (!next)
            next = rd_kafka_topic_partition_list_add(offsets, thread->commands, messages[i]->partition);
        next->offset = messages[i]->offset + 1;
        produce_reply(thread, messages[i]);
    }
    bench_check(rd_kafka_send_offsets_to_transaction(thread->producer, offsets, group, TIMEOUT_MS));
    bench_check(rd_kafka_commit_transaction(thread->producer, TIMEOUT_MS));
    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_consumer_group_metadata_destroy(group);
}

static void *run(void *context)
{
    struct thread *thread = context;
    rd_kafka_message_t *messages[BATCH_MAX];

    for (;;) {
        /* The first one is waited for, and then what is there with it. */
        ssize_t count = rd_kafka_consume_batch_queue(thread->queue, WAIT_MS, messages, 1);

        if (count <= 0)
            continue;
        count += rd_kafka_consume_batch_queue(thread->queue, 0, messages + 1, BATCH_MAX - 1);
        answer(thread, messages, count);
        for (ssize_t i = 0; i < count; i++)
            rd_kafka_message_destroy(messages[i]);
    }
    return NULL;
}

static void start(char **argv, int number)
{
    char group[256];
    char id[64];
    const char *taker[] = {group,
                           "enable.auto.commit=false",
                           "auto.offset.reset=earliest",
                           "isolation.level=read_committed",
                           "socket.nagle.disable=true",
                           "partition.assignment.strategy=range",
                           NULL};
    const char *sender[] = {id, "retry.backoff.ms=2", "socket.nagle.disable=true", NULL};
    struct thread *thread = calloc(1, sizeof(*thread));
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    pthread_t handle;

    snprintf(group, sizeof(group), "group.id=%s", argv[2]);
    snprintf(id, sizeof(id), "transactional.id=echo-%d-%d", (int)getpid(), number);
    memset(thread->reply, 'r', sizeof(thread->reply));
    thread->commands = argv[3];
    thread->reply_bytes = strtoul(argv[6], NULL, 10);
    thread->producer = bench_client(RD_KAFKA_PRODUCER, argv[1], sender, bench_delivered, NULL);
    thread->replies = rd_kafka_topic_new(thread->producer, argv[4], NULL);
    bench_check(rd_kafka_init_transactions(thread->producer, TIMEOUT_MS));
    thread->consumer = bench_client(RD_KAFKA_CONSUMER, argv[1], taker, NULL, NULL);
    thread->queue = rd_kafka_queue_get_consumer(thread->consumer);
    rd_kafka_topic_partition_list_add(topics, argv[3], RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(thread->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    pthread_create(&handle, NULL, run, thread);
}

int main(int argc, char **argv)
{
    if (argc != 7 || strtoul(argv[6], NULL, 10) > BENCH_COMMAND_MAX)
        bench_die("usage: echo BROKERS GROUP COMMANDS REPLIES THREADS REPLY_BYTES");
    for (int i = 0; i < atoi(argv[5]); i++)
        start(argv, i);
    for (;;)
        pause();
}
