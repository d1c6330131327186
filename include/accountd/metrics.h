/* metrics.h: counters, gauges and histograms, ONE table, in the Prometheus text format.
 *
 * Cells are atomics: any thread may add, and the HTTP thread reads them while they move. All exist, with
 * 0, from the start. None has a label that comes from a message. docs/metrics.md is written from the page
 * that the table makes (make metrics-docs).
 */
#ifndef ACCOUNTD_METRICS_H
#define ACCOUNTD_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "accountd/command.h"
#include "accountd/result.h"

enum acd_metric_kind {
    ACD_COUNTER,
    ACD_GAUGE,
    ACD_DURATIONS,  /* a histogram of seconds, observed in microseconds */
    ACD_AGES,       /* a histogram of seconds, observed in milliseconds */
    ACD_SIZES,      /* a histogram of whole numbers */
    ACD_COMMANDS,   /* a counter for each pair of operation and code */
    ACD_PARTITIONS, /* a gauge for each partition held */
};

/* X(identifier, kind, name, labels, help). Rows of one name are one family: they stand together, and the
 * first one's help is the family's. */
#define ACD_METRICS(X)                                                                                       \
    X(COMMANDS, COMMANDS, "accountd_commands_total", "",                                                     \
      "Commands answered, by operation and result code. What is answered from an outbox is not among them.") \
    X(COMMAND_SECONDS, DURATIONS, "accountd_command_duration_seconds", "",                                   \
      "From the moment a command is taken into a batch until its reply is committed.")                       \
    X(COMMAND_AGE, AGES, "accountd_command_age_seconds", "",                                                 \
      "From a command's timestamp, which its producer sets, until its reply is committed; at most a day.")   \
    X(BATCHES, COUNTER, "accountd_batches_total", "", "Batches committed to Redis.")                         \
    X(BATCH_COMMANDS, SIZES, "accountd_batch_commands", "", "Commands in a batch that was answered.")        \
    X(STAGE_TAKE, DURATIONS, "accountd_batch_stage_seconds", "stage=\"take\"",                               \
      "Time of a batch in each stage: load and commit wait for Redis, publish for Kafka.")                   \
    X(STAGE_LOAD, DURATIONS, "accountd_batch_stage_seconds", "stage=\"load\"", "")                           \
    X(STAGE_DECIDE, DURATIONS, "accountd_batch_stage_seconds", "stage=\"decide\"", "")                       \
    X(STAGE_COMMIT, DURATIONS, "accountd_batch_stage_seconds", "stage=\"commit\"", "")                       \
    X(STAGE_PUBLISH, DURATIONS, "accountd_batch_stage_seconds", "stage=\"publish\"", "")                     \
    X(COMMIT_STALE, COUNTER, "accountd_commit_conflicts_total", "reason=\"stale\"",                          \
      "Commits that Redis refused: an account had changed since it was read (stale), another partition's "   \
      "effects were not published yet (busy), or marker or incarnation were others (fenced).")               \
    X(COMMIT_BUSY, COUNTER, "accountd_commit_conflicts_total", "reason=\"busy\"", "")                        \
    X(COMMIT_FENCED, COUNTER, "accountd_commit_conflicts_total", "reason=\"fenced\"", "")                    \
    X(TRANSACTIONS_COMMITTED, COUNTER, "accountd_transactions_total", "result=\"committed\"",                \
      "Kafka transactions: committed, or aborted and their producer made anew where need be (failed).")      \
    X(TRANSACTIONS_FAILED, COUNTER, "accountd_transactions_total", "result=\"failed\"", "")                  \
    X(OUTBOX_ANSWERED, COUNTER, "accountd_outbox_answered_total", "",                                        \
      "Batches that were found applied but not answered, and answered from the outbox.")                     \
    X(DEAD_LETTERS, COUNTER, "accountd_dead_letters_total", "", "Records copied to the dead-letter topic.")  \
    X(REPLIES_REROUTED, COUNTER, "accountd_replies_rerouted_total", "",                                      \
      "Replies sent to the default topic because the one that was asked for could not be used.")             \
    X(CACHE_HITS, COUNTER, "accountd_cache_hits_total", "", "Accounts found in the cache.")                  \
    X(CACHE_MISSES, COUNTER, "accountd_cache_misses_total", "", "Accounts read from Redis.")                 \
    X(LAG, GAUGE, "accountd_lag", "", "Commands in the partitions held that are still to be decided.")       \
    X(PARTITION_LAG, PARTITIONS, "accountd_partition_lag", "",                                               \
      "The same for each partition held, of the first 4096.")                                                \
    X(ASSIGNED_PARTITIONS, GAUGE, "accountd_assigned_partitions", "",                                        \
      "Partitions of the command topic held.")                                                               \
    X(HALTED_PARTITIONS, GAUGE, "accountd_halted_partitions", "",                                            \
      "Partitions that were stopped because going on would have been a guess.")                              \
    X(REBALANCES, COUNTER, "accountd_rebalances_total", "", "Assignments received from the consumer group.") \
    X(WORKERS, GAUGE, "accountd_workers", "", "Workers, as worker.threads says.")                            \
    X(WORKERS_READY, GAUGE, "accountd_ready_workers", "", "Workers that serve all they were assigned.")      \
    X(REDIS_UP, GAUGE, "accountd_redis_up_workers", "", "Workers with a working connection to Redis.")       \
    X(KAFKA_UP, GAUGE, "accountd_kafka_up_workers", "",                                                      \
      "Workers that are members of the consumer group and have a producer.")                                 \
    X(STUCK_THREADS, GAUGE, "accountd_stuck_threads", "", "Threads that make no progress.")                  \
    X(REDIS_CONNECTS, COUNTER, "accountd_redis_connects_total", "", "Connections made to Redis.")            \
    X(REDIS_FAILURES, COUNTER, "accountd_redis_failures_total", "",                                          \
      "Times that Redis could not be reached or asked, and was tried again.")                                \
    X(KAFKA_ERRORS, COUNTER, "accountd_kafka_errors_total", "",                                              \
      "Errors that librdkafka reported, such as a broker that went away; it mends them by itself.")          \
    X(RECOVERIES, COUNTER, "accountd_recoveries_total", "", "Times this process made Redis whole again.")    \
    X(RESTORED_ACCOUNTS, COUNTER, "accountd_restored_accounts_total", "",                                    \
      "Accounts restored from the changelog.")                                                               \
    X(RESTORE_RECORDS, GAUGE, "accountd_restore_records", "",                                                \
      "Changelog records that a restore under way reads in all; 0 when there is none.")                      \
    X(RESTORE_LEFT, GAUGE, "accountd_restore_records_left", "", "Those of them that are still to be read.")  \
    X(EXPORTS_OPEN, GAUGE, "accountd_exports_open", "", "Exports of whole apps that are not answered yet.")  \
    X(EXPORTS_RUNNING, GAUGE, "accountd_exports_running", "", "Exports of whole apps that are under way.")   \
    X(EXPORTED_ACCOUNTS, COUNTER, "accountd_exported_accounts_total", "",                                    \
      "Accounts read by exports of whole apps.")                                                             \
    X(EXPORT_ATTEMPTS_FAILED, COUNTER, "accountd_export_attempts_failed_total", "",                          \
      "Attempts at an export of a whole app that failed; another one followed.")                             \
    X(RELOADED, COUNTER, "accountd_reloads_total", "result=\"ok\"",                                          \
      "Reloads of the settings, and those that changed nothing because of a mistake (refused).")             \
    X(RELOAD_REFUSED, COUNTER, "accountd_reloads_total", "result=\"refused\"", "")                           \
    X(LOG_ERRORS, COUNTER, "accountd_log_lines_total", "level=\"error\"",                                    \
      "Lines of the log by level, with those that were suppressed.")                                         \
    X(LOG_WARNINGS, COUNTER, "accountd_log_lines_total", "level=\"warning\"", "")                            \
    X(LOG_INFOS, COUNTER, "accountd_log_lines_total", "level=\"info\"", "")                                  \
    X(LOG_SUPPRESSED, COUNTER, "accountd_log_suppressed_total", "",                                          \
      "Lines of the log that were left out because there were too many of their kind.")

enum acd_metric {
#define X(id, kind, name, labels, help) ACD_METRIC_##id,
    ACD_METRICS(X)
#undef X
        ACD_METRIC_COUNT
};

/* One more than the bounds of a histogram: the last bucket takes what is above them. */
#define ACD_BUCKETS_MAX 17

void acd_metric_add(enum acd_metric metric, int64_t n);
void acd_metric_set(enum acd_metric metric, int64_t value);
int64_t acd_metric_get(enum acd_metric metric);

/* Adds `times` observations of one value, in the unit of the histogram's kind. */
void acd_metric_observe(enum acd_metric histogram, int64_t value, int64_t times);

/* ACD_METRIC_PARTITION_LAG of one partition; below 0: it is not held any more. */
void acd_metric_partition_lag(int32_t partition, int64_t lag);

/* The answered commands of a batch, which are counted here first, so that the cells are touched once a
 * batch. All zero to begin with. */
struct acd_tally {
    uint32_t commands[ACD_OP_COUNT][ACD_CODE_COUNT];
    uint32_t ages[ACD_BUCKETS_MAX];
    int64_t age_sum_ms;
};

void acd_tally_command(struct acd_tally *tally, enum acd_op op, enum acd_code code, int64_t age_ms);
void acd_tally_add(const struct acd_tally *tally);

/* All answered commands. */
int64_t acd_metric_commands(void);

/* Writes all metrics, build information and process metrics. */
void acd_metrics_print(FILE *out);

#endif
