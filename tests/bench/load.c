/* Commands at a constant rate, and how long it takes until a reader of committed messages has each one's
 * reply. The rate is kept whatever happens (open loop), and the time is taken from when a command was to be
 * sent, so that one slow reply counts for all commands that had to wait behind it.
 *
 *   load BROKERS COMMANDS REPLIES MIX FORMAT ACCOUNTS RATE SECONDS
 *
 * The first WARM_UP_S seconds are not counted. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "kafka.h"

#define WARM_UP_S 3
/* Above this rate commands linger for 2 ms, as any producer's of so many would: a request for each of them
 * would keep the broker busy before anything is consumed. */
#define MANY_PER_S  2000
#define LAST_WAIT_S 20
#define SECOND_NS   INT64_C(1000000000)

static struct bench_histogram latency;      /* of the reader's thread until that has ended */
static struct bench_histogram lateness;     /* of the sender: how long after its time a command was sent */
static struct bench_histogram acknowledged; /* of the sender: until the broker had taken a command */
static atomic_uint_fast64_t replies;
static atomic_bool stop;
static int64_t count_from_ns;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    int64_t due_ns = (int64_t)(intptr_t)message->_private;

    if (message->err)
        bench_die("produce: %s", rd_kafka_err2str(message->err));
    if (due_ns >= count_from_ns)
        bench_record(&acknowledged, bench_now_ns() - due_ns);
}

static void take_reply(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t bytes;
    int64_t due_ns;

    if (rd_kafka_message_headers(message, &headers) ||
        rd_kafka_header_get_last(headers, "kafka_correlationId", &value, &bytes) || bytes != sizeof(due_ns))
        return;
    memcpy(&due_ns, value, bytes);
    if (due_ns >= count_from_ns)
        bench_record(&latency, bench_now_ns() - due_ns);
    atomic_fetch_add(&replies, 1);
}

static void *read_replies(void *consumer)
{
    while (!atomic_load(&stop)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);

        if (message && !message->err)
            take_reply(message);
        if (message)
            rd_kafka_message_destroy(message);
    }
    return NULL;
}

static void send_command(rd_kafka_t *producer, rd_kafka_topic_t *topic, const struct bench_mix *mix,
                         uint64_t n, int64_t due_ns)
{
    char value[BENCH_COMMAND_MAX];
    char key[BENCH_KEY_MAX];
    size_t bytes = bench_command(mix, n, value, key);
    rd_kafka_resp_err_t failure =
        rd_kafka_producev(producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(value, bytes),
                          RD_KAFKA_V_HEADER("kafka_correlationId", &due_ns, sizeof(due_ns)),
                          RD_KAFKA_V_OPAQUE((void *)(intptr_t)due_ns), RD_KAFKA_V_END);

    if (failure)
        bench_die("the load cannot be kept up: %s", rd_kafka_err2str(failure));
    rd_kafka_poll(producer, 0);
    if (due_ns >= count_from_ns)
        bench_record(&lateness, bench_now_ns() - due_ns);
}

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {at_ns / SECOND_NS, at_ns % SECOND_NS};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void send_all(rd_kafka_t *producer, rd_kafka_topic_t *topic, const struct bench_mix *mix, double rate,
                     uint64_t count)
{
    int64_t start_ns = bench_now_ns() + SECOND_NS / 10;

    count_from_ns = start_ns + WARM_UP_S * SECOND_NS;
    for (uint64_t n = 0; n < count; n++) {
        int64_t due_ns = start_ns + (int64_t)((double)n * SECOND_NS / rate);

        if (bench_now_ns() < due_ns)
            sleep_until(due_ns);
        send_command(producer, topic, mix, n, due_ns);
    }
    rd_kafka_flush(producer, 10000);
}

int main(int argc, char **argv)
{
    const char *linger = argc == 9 && atof(argv[7]) > MANY_PER_S ? "linger.ms=2" : "linger.ms=0";
    const char *sender[] = {"partitioner=murmur2_random",
                            linger,
                            "enable.idempotence=true",
                            "socket.nagle.disable=true",
                            "queue.buffering.max.messages=1000000",
                            NULL};
    const char *reader[] = {"group.id=load", "isolation.level=read_committed", "socket.nagle.disable=true",
                            "enable.auto.commit=false", NULL};
    rd_kafka_t *producer;
    rd_kafka_t *consumer;
    struct bench_mix mix;
    pthread_t thread;
    uint64_t count;

    if (argc != 9 || bench_mix_init(&mix, argv[4], argv[5], (uint32_t)strtoul(argv[6], NULL, 10)))
        bench_die("usage: load BROKERS COMMANDS REPLIES MIX FORMAT ACCOUNTS RATE SECONDS");
    count = (uint64_t)(atof(argv[7]) * (WARM_UP_S + atof(argv[8])));
    producer = bench_client(RD_KAFKA_PRODUCER, argv[1], sender, on_delivery, NULL);
    consumer = bench_client(RD_KAFKA_CONSUMER, argv[1], reader, NULL, NULL);
    bench_read_from_end(consumer, argv[3]);
    pthread_create(&thread, NULL, read_replies, consumer);
    send_all(producer, rd_kafka_topic_new(producer, argv[2], NULL), &mix, atof(argv[7]), count);
    for (int i = 0; i < LAST_WAIT_S * 10 && atomic_load(&replies) < count; i++)
        usleep(100000);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    printf("sent: %llu\nreplies: %llu\n", (unsigned long long)count,
           (unsigned long long)atomic_load(&replies));
    bench_print(&latency, "latency");
    bench_print(&lateness, "sent_late");
    bench_print(&acknowledged, "acknowledged");
    return atomic_load(&replies) == count ? 0 : 1;
}
