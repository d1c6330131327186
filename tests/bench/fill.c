/* Fills a command topic: fill BROKERS TOPIC MIX FORMAT ACCOUNTS COMMANDS [COMPRESSION]
 * Or writes accounts as Redis commands to the standard output: fill resp ACCOUNTS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "kafka.h"

static uint64_t failed;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void produce(rd_kafka_t *producer, rd_kafka_topic_t *topic, const char *value, size_t bytes,
                    const char *key)
{
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value,
                            bytes, key, strlen(key), NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            bench_die("produce: %s", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(producer, 10);
    }
    rd_kafka_poll(producer, 0);
}

/* As Kafka's own clients would have distributed them, and each partition in the order of the numbers. */
static void fill_topic(char **args, const char *compression)
{
    char codec[64];
    const char *properties[] = {"partitioner=murmur2_random",
                                "enable.idempotence=true",
                                "linger.ms=20",
                                "queue.buffering.max.messages=500000",
                                codec,
                                NULL};
    struct bench_mix mix;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic;
    char value[BENCH_COMMAND_MAX];
    char key[BENCH_KEY_MAX];
    uint64_t count = strtoull(args[5], NULL, 10);
    uint64_t bytes = 0;

    snprintf(codec, sizeof(codec), "compression.type=%s", compression);
    if (bench_mix_init(&mix, args[2], args[3], (uint32_t)strtoul(args[4], NULL, 10)))
        bench_die("no such mix or format: %s %s", args[2], args[3]);
    producer = bench_client(RD_KAFKA_PRODUCER, args[0], properties, on_delivery, NULL);
    topic = rd_kafka_topic_new(producer, args[1], NULL);
    for (uint64_t n = 0; n < count; n++) {
        size_t len = bench_command(&mix, n, value, key);

        produce(producer, topic, value, len, key);
        bytes += len;
    }
    if (rd_kafka_flush(producer, 60000) || failed)
        bench_die("not all commands were taken by the broker");
    printf("%.1f\n", (double)bytes / (double)count);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    free(mix.cumulative);
}

int main(int argc, char **argv)
{
    char out[BENCH_COMMAND_MAX];

    if (argc == 3 && strcmp(argv[1], "resp") == 0) {
        for (uint32_t n = 0; n < strtoul(argv[2], NULL, 10); n++)
            fwrite(out, 1, bench_account_resp(n, out), stdout);
        return fflush(stdout) ? 1 : 0;
    }
    if (argc != 7 && argc != 8)
        bench_die(
            "usage: fill BROKERS TOPIC MIX FORMAT ACCOUNTS COMMANDS [COMPRESSION] | fill resp ACCOUNTS");
    fill_topic(argv + 1, argc == 8 ? argv[7] : "none");
    return 0;
}
