/* metrics_table.h: the metrics' table and cells, shared by those who count and those who print. */
#ifndef ACCOUNTD_OPS_METRICS_TABLE_H
#define ACCOUNTD_OPS_METRICS_TABLE_H

#include "accountd/metrics.h"

/* Partitions with a lag of their own. */
#define ACD_PARTITIONS_MAX 4096

struct acd_metric_rule {
    enum acd_metric_kind kind;
    const char *name;
    const char *labels; /* NAME="VALUE", or "" */
    const char *help;
};

/* Upper bounds, inclusive, in the unit that is observed; the page divides by `unit`. */
struct acd_bounds {
    uint32_t count;
    int64_t unit;
    int64_t bounds[ACD_BUCKETS_MAX - 1];
};

/* A line of the processor's cache each, so that workers do not wait for each other's metrics. */
struct acd_metric_cell {
    _Alignas(64) _Atomic int64_t value;       /* a histogram's sum */
    _Atomic int64_t buckets[ACD_BUCKETS_MAX]; /* not cumulative */
};

extern const struct acd_metric_rule acd_metric_rules[ACD_METRIC_COUNT];
extern struct acd_metric_cell acd_metric_cells[ACD_METRIC_COUNT];
extern _Atomic int64_t acd_metric_command_cells[ACD_OP_COUNT][ACD_CODE_COUNT];
extern _Atomic int64_t acd_metric_partition_cells[ACD_PARTITIONS_MAX]; /* lag + 1, or 0: not held */

/* NULL when the kind is no histogram. */
const struct acd_bounds *acd_metric_bounds(enum acd_metric_kind kind);

#endif
