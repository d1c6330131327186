#include "kafka.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 10000

void bench_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void set_property(rd_kafka_conf_t *conf, const char *property)
{
    const char *equals = strchr(property, '=');
    char name[128];
    char error[256];

    snprintf(name, sizeof(name), "%.*s", (int)(equals - property), property);
    if (rd_kafka_conf_set(conf, name, equals + 1, error, sizeof(error)) != RD_KAFKA_CONF_OK)
        bench_die("%s: %s", property, error);
}

rd_kafka_t *bench_client(rd_kafka_type_t type, const char *brokers, const char *const *properties,
                         void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *), void *opaque)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];
    rd_kafka_t *client;

    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    for (; *properties; properties++)
        set_property(conf, *properties);
    if (on_delivery)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, opaque);
    client = rd_kafka_new(type, conf, error, sizeof(error));
    if (!client)
        bench_die("librdkafka: %s", error);
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(client);
    return client;
}

void bench_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    if (message->err)
        bench_die("produce: %s", rd_kafka_err2str(message->err));
}

void bench_check(rd_kafka_error_t *error)
{
    if (error)
        bench_die("transaction: %s", rd_kafka_error_string(error));
}

void bench_read_from_end(rd_kafka_t *consumer, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
    rd_kafka_resp_err_t failure = rd_kafka_metadata(consumer, 0, handle, &metadata, TIMEOUT_MS);

    for (int p = 0; !failure && p < metadata->topics[0].partition_cnt; p++) {
        int64_t low;
        int64_t high;

        failure = rd_kafka_query_watermark_offsets(consumer, topic, p, &low, &high, TIMEOUT_MS);
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = high;
    }
    if (failure)
        bench_die("%s: %s", topic, rd_kafka_err2str(failure));
    rd_kafka_assign(consumer, list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_topic_destroy(handle);
}

void bench_record(struct bench_histogram *histogram, int64_t value)
{
    uint64_t v = value > 0 ? (uint64_t)value : 0;
    int shift = v < 64 ? 0 : 58 - __builtin_clzll(v); /* 63 - clz is the highest bit; 6 bits stay */
    uint64_t bucket = shift ? 64 * (uint64_t)shift + (v >> (shift - 1)) % 64 : v;

    if (bucket >= BENCH_BUCKETS)
        bucket = BENCH_BUCKETS - 1;
    histogram->counts[bucket]++;
    histogram->total++;
    if (value > histogram->max)
        histogram->max = value;
}

/* The upper end of a bucket. */
static double bucket_value(uint64_t bucket)
{
    uint64_t shift = bucket / 64;

    return shift ? (double)((64 + bucket % 64 + 1) << (shift - 1)) - 1 : (double)bucket;
}

static double percentile(const struct bench_histogram *histogram, double percent)
{
    double wanted = (double)histogram->total * percent / 100;
    uint64_t seen = 0;

    for (uint64_t bucket = 0; bucket < BENCH_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > 0 && (double)seen >= wanted)
            return bucket_value(bucket) < (double)histogram->max ? bucket_value(bucket)
                                                                 : (double)histogram->max;
    }
    return (double)histogram->max;
}

void bench_print(const struct bench_histogram *histogram, const char *prefix)
{
    static const struct {
        const char *name;
        double percent;
    } rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%s_%s_us: %.0f\n", prefix, rows[i].name, percentile(histogram, rows[i].percent) / 1000);
    printf("%s_max_us: %.0f\n", prefix, (double)histogram->max / 1000);
}
