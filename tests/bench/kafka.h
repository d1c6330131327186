/* kafka.h: what the measuring programs have in common. Whatever fails ends the program with a sentence. */
#ifndef BENCH_KAFKA_H
#define BENCH_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

int64_t bench_now_ns(void);

/* A client of the type with "name=value" properties; `on_delivery` may be NULL. */
rd_kafka_t *bench_client(rd_kafka_type_t type, const char *brokers, const char *const *properties,
                         void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *), void *opaque);

/* For `on_delivery` of a transactional producer, of which a commit naps in steps of 10 ms without one. */
void bench_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);

/* Ends the program when a step of a transaction has failed. */
void bench_check(rd_kafka_error_t *error);

/* Reads a topic from its present end on, all partitions, without a group. */
void bench_read_from_end(rd_kafka_t *consumer, const char *topic);

/* Log-linear counts: 64 steps for each power of two, so that a value is off by 1.6 % at most. */
#define BENCH_BUCKETS (64 * 58)

struct bench_histogram {
    uint64_t counts[BENCH_BUCKETS];
    uint64_t total;
    int64_t max;
};

void bench_record(struct bench_histogram *histogram, int64_t value);

/* Prints "PREFIX_p50_us: …" and so on, of values in nanoseconds. */
void bench_print(const struct bench_histogram *histogram, const char *prefix);

#endif
