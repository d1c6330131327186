/* The least that a committed reply can take: one message in one transaction, from its beginning until a
 * reader of committed messages has it. The producer is set up as accountd's is.
 *
 *   roundtrip BROKERS TOPIC SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kafka.h"

#define SECOND_NS  INT64_C(1000000000)
#define TIMEOUT_MS 10000

static struct bench_histogram latency;

static void wait_for(rd_kafka_t *consumer, int64_t wanted)
{
    int64_t got = -1;

    while (got != wanted) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, TIMEOUT_MS);

        if (!message)
            bench_die("the message did not come");
        if (!message->err)
            memcpy(&got, message->payload, sizeof(got));
        rd_kafka_message_destroy(message);
    }
}

static void once(rd_kafka_t *producer, rd_kafka_topic_t *topic, rd_kafka_t *consumer, int64_t n)
{
    char reply[260] = "";

    memcpy(reply, &n, sizeof(n));
    bench_check(rd_kafka_begin_transaction(producer));
    if (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, reply, sizeof(reply), NULL, 0, NULL))
        bench_die("produce: %s", rd_kafka_err2str(rd_kafka_last_error()));
    bench_check(rd_kafka_commit_transaction(producer, TIMEOUT_MS));
    wait_for(consumer, n);
}

int main(int argc, char **argv)
{
    char id[64];
    const char *sender[] = {id, "retry.backoff.ms=2", "socket.nagle.disable=true", NULL};
    const char *reader[] = {"group.id=roundtrip", "isolation.level=read_committed",
                            "socket.nagle.disable=true", "enable.auto.commit=false", NULL};
    rd_kafka_t *producer;
    rd_kafka_t *consumer;
    rd_kafka_topic_t *topic;
    int64_t end_ns;
    int64_t n;

    if (argc != 4)
        bench_die("usage: roundtrip BROKERS TOPIC SECONDS");
    snprintf(id, sizeof(id), "transactional.id=roundtrip-%d", (int)getpid());
    producer = bench_client(RD_KAFKA_PRODUCER, argv[1], sender, bench_delivered, NULL);
    consumer = bench_client(RD_KAFKA_CONSUMER, argv[1], reader, NULL, NULL);
    topic = rd_kafka_topic_new(producer, argv[2], NULL);
    bench_check(rd_kafka_init_transactions(producer, TIMEOUT_MS));
    bench_read_from_end(consumer, argv[2]);
    /* The first ones find out where everything is. */
    for (n = 0; n < 20; n++)
        once(producer, topic, consumer, n);
    end_ns = bench_now_ns() + atoi(argv[3]) * SECOND_NS;
    while (bench_now_ns() < end_ns) {
        int64_t begin_ns = bench_now_ns();

        once(producer, topic, consumer, n++);
        bench_record(&latency, bench_now_ns() - begin_ns);
    }
    printf("transactions: %llu\n", (unsigned long long)latency.total);
    bench_print(&latency, "roundtrip");
    return 0;
}
