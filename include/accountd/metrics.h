/* metrics.h: counters and gauges, ONE table, in the Prometheus text format.
 *
 * Cells are atomics: any thread may add, and the HTTP thread reads them while they move. All exist, with
 * 0, from the start; none has a label that comes from a message.
 */
#ifndef ACCOUNTD_METRICS_H
#define ACCOUNTD_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "accountd/command.h"
#include "accountd/result.h"

/* X(identifier, name, type, help) */
#define ACD_METRICS(X)                                                                                       \
    X(BATCHES, "accountd_batches_total", "counter", "Batches committed to Redis.")                           \
    X(COMMIT_STALE, "accountd_commit_stale_total", "counter",                                                \
      "Commits refused because an account had changed since it was read.")                                   \
    X(COMMIT_BUSY, "accountd_commit_busy_total", "counter",                                                  \
      "Commits put off because another partition's effects were not published yet.")                         \
    X(COMMIT_FENCED, "accountd_commit_fenced_total", "counter",                                              \
      "Commits refused because marker or incarnation were not the expected ones.")                           \
    X(TRANSACTIONS_COMMITTED, "accountd_transactions_committed_total", "counter",                            \
      "Kafka transactions committed.")                                                                       \
    X(TRANSACTIONS_FAILED, "accountd_transactions_failed_total", "counter",                                  \
      "Kafka transactions that were aborted or whose producer had to be made anew.")                         \
    X(REBALANCES, "accountd_rebalances_total", "counter", "Assignments received from the consumer group.")   \
    X(OUTBOX_ANSWERED, "accountd_outbox_answered_total", "counter",                                          \
      "Batches that were found applied but not answered, and answered from the outbox.")                     \
    X(DEAD_LETTERS, "accountd_dead_letters_total", "counter", "Records copied to the dead-letter topic.")    \
    X(REDIS_RECONNECTS, "accountd_redis_reconnects_total", "counter", "Connections made to Redis.")          \
    X(CACHE_HITS, "accountd_cache_hits_total", "counter", "Accounts found in the cache.")                    \
    X(CACHE_MISSES, "accountd_cache_misses_total", "counter", "Accounts read from Redis.")                   \
    X(ASSIGNED_PARTITIONS, "accountd_assigned_partitions", "gauge", "Partitions of the command topic held.") \
    X(LAG, "accountd_lag", "gauge", "Commands in the partitions held that are still to be decided.")         \
    X(HALTED_PARTITIONS, "accountd_halted_partitions", "gauge",                                              \
      "Partitions that were stopped because going on would have been a guess.")                              \
    X(RECOVERIES, "accountd_recoveries_total", "counter", "Times this process made Redis whole again.")      \
    X(RESTORED_ACCOUNTS, "accountd_restored_accounts_total", "counter",                                      \
      "Accounts restored from the changelog.")                                                               \
    X(RESTORE_LEFT, "accountd_restore_records_left", "gauge",                                                \
      "Changelog records that a restore under way has still to read.")                                       \
    X(REDIS_UP, "accountd_redis_up_workers", "gauge", "Workers with a working connection to Redis.")

enum acd_metric {
#define X(id, name, type, help) ACD_METRIC_##id,
    ACD_METRICS(X)
#undef X
        ACD_METRIC_COUNT
};

void acd_metric_add(enum acd_metric metric, int64_t n);
void acd_metric_set(enum acd_metric metric, int64_t value);
int64_t acd_metric_get(enum acd_metric metric);

/* accountd_commands_total{op,code}: one answered command. */
void acd_metric_command(enum acd_op op, enum acd_code code);

/* All of these. */
int64_t acd_metric_commands(void);

/* Writes all metrics, build information and process metrics. */
void acd_metrics_print(FILE *out);

#endif
