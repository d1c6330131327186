/* scrape.h: what accountctl status wants of a daemon's /metrics. Pure.
 *
 * The page is Prometheus' text format. It may be another release's, or no page of accountd's at all: what is
 * not there stays NAN, and what is not known is passed over.
 */
#ifndef ACCOUNTD_CTL_STATUS_SCRAPE_H
#define ACCOUNTD_CTL_STATUS_SCRAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "accountd/slice.h"

/* X(identifier, metric). Samples of one metric that differ in labels are added up. */
#define ACD_CTL_GAUGES(X)                                                                                    \
    X(START, "process_start_time_seconds")                                                                   \
    X(WORKERS, "accountd_workers")                                                                           \
    X(READY_WORKERS, "accountd_ready_workers")                                                               \
    X(REDIS_UP, "accountd_redis_up_workers")                                                                 \
    X(KAFKA_UP, "accountd_kafka_up_workers")                                                                 \
    X(STUCK, "accountd_stuck_threads")                                                                       \
    X(PARTITIONS, "accountd_assigned_partitions")                                                            \
    X(HALTED, "accountd_halted_partitions")                                                                  \
    X(LAG, "accountd_lag")                                                                                   \
    X(RESTORE, "accountd_restore_records")                                                                   \
    X(RESTORE_LEFT, "accountd_restore_records_left")                                                         \
    X(EXPORTS_OPEN, "accountd_exports_open")                                                                 \
    X(EXPORTS_RUNNING, "accountd_exports_running")                                                           \
    X(DEAD_LETTERS, "accountd_dead_letters_total")

enum acd_ctl_gauge {
#define X(id, name) ACD_CTL_GAUGE_##id,
    ACD_CTL_GAUGES(X)
#undef X
        ACD_CTL_GAUGE_COUNT
};

/* More codes or buckets than these are passed over. */
#define ACD_CTL_CODES_MAX   64
#define ACD_CTL_BUCKETS_MAX 64

struct acd_ctl_code_count {
    char code[48];
    double commands;
};

struct acd_ctl_bucket {
    double bound; /* inclusive; the last is infinite */
    double count; /* of this one and all before */
};

struct acd_ctl_scrape {
    char version[48]; /* empty: the page is not accountd's */
    double gauges[ACD_CTL_GAUGE_COUNT];
    struct acd_ctl_code_count codes[ACD_CTL_CODES_MAX]; /* commands answered, over all operations */
    size_t code_count;
    struct acd_ctl_bucket buckets[ACD_CTL_BUCKETS_MAX]; /* of their durations, in seconds */
    size_t bucket_count;
};

void acd_ctl_scrape_read(struct acd_slice page, struct acd_ctl_scrape *out);

/* Commands answered. */
double acd_ctl_scrape_commands(const struct acd_ctl_scrape *scrape);

/* True when both are of the same run of the same program: what was counted is then comparable. */
bool acd_ctl_scrape_continues(const struct acd_ctl_scrape *now, const struct acd_ctl_scrape *before);

/* How many commands were answered with the code of now->codes[i] between two scrapes. */
double acd_ctl_scrape_gained(const struct acd_ctl_scrape *now, const struct acd_ctl_scrape *before, size_t i);

/* The quantile (0 to 1) of the durations between two scrapes in seconds, by straight lines within a bucket;
 * of one that is beyond all bounds, the largest. NAN: there was no command. */
double acd_ctl_scrape_quantile(const struct acd_ctl_scrape *now, const struct acd_ctl_scrape *before,
                               double quantile);

/* One line of the format, taken apart; borrows from the page. */
struct acd_ctl_sample {
    struct acd_slice name;
    struct acd_slice labels; /* what is between { and } */
    double value;
};

/* Takes the next sample off the page; false at its end. Lines that are none are passed over. */
bool acd_ctl_sample_next(struct acd_slice *page, struct acd_ctl_sample *out);

/* Writes a label's value without its escapes, cut where `out` ends; false when there is no such label. */
bool acd_ctl_sample_label(const struct acd_ctl_sample *sample, const char *name, char *out, size_t bytes);

#endif
