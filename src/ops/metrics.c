/* The metrics' cells. Nothing is ordered by them, so every access is relaxed. */
#include <stdatomic.h>
#include <stddef.h>

#include "metrics_table.h"

/* An age that a hostile timestamp claims must not drown the others' sum. */
#define AGE_MAX_MS (86400LL * 1000)

const struct acd_metric_rule acd_metric_rules[ACD_METRIC_COUNT] = {
#define X(id, kind, name, labels, help) {ACD_##kind, name, labels, help},
    ACD_METRICS(X)
#undef X
};

struct acd_metric_cell acd_metric_cells[ACD_METRIC_COUNT];
_Atomic int64_t acd_metric_command_cells[ACD_OP_COUNT][ACD_CODE_COUNT];
_Atomic int64_t acd_metric_partition_cells[ACD_PARTITIONS_MAX];

static const struct acd_bounds durations = {15,
                                            1000000,
                                            {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
                                             500000, 1000000, 2500000, 5000000, 10000000, 30000000}};
static const struct acd_bounds ages = {
    15, 1000, {2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 60000, 600000, 3600000}};
static const struct acd_bounds sizes = {12, 1, {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}};

const struct acd_bounds *acd_metric_bounds(enum acd_metric_kind kind)
{
    return kind == ACD_DURATIONS ? &durations : kind == ACD_AGES ? &ages : kind == ACD_SIZES ? &sizes : NULL;
}

static void add(_Atomic int64_t *cell, int64_t n)
{
    atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

void acd_metric_add(enum acd_metric metric, int64_t n)
{
    add(&acd_metric_cells[metric].value, n);
}

void acd_metric_set(enum acd_metric metric, int64_t value)
{
    atomic_store_explicit(&acd_metric_cells[metric].value, value, memory_order_relaxed);
}

int64_t acd_metric_get(enum acd_metric metric)
{
    return atomic_load_explicit(&acd_metric_cells[metric].value, memory_order_relaxed);
}

static uint32_t bucket_of(const struct acd_bounds *bounds, int64_t value)
{
    uint32_t i = 0;

    while (i < bounds->count && value > bounds->bounds[i])
        i++;
    return i;
}

void acd_metric_observe(enum acd_metric histogram, int64_t value, int64_t times)
{
    struct acd_metric_cell *cell = &acd_metric_cells[histogram];

    add(&cell->value, value * times);
    add(&cell->buckets[bucket_of(acd_metric_bounds(acd_metric_rules[histogram].kind), value)], times);
}

void acd_metric_partition_lag(int32_t partition, int64_t lag)
{
    if (partition >= 0 && partition < ACD_PARTITIONS_MAX)
        atomic_store_explicit(&acd_metric_partition_cells[partition], lag < 0 ? 0 : lag + 1,
                              memory_order_relaxed);
}

void acd_tally_command(struct acd_tally *tally, enum acd_op op, enum acd_code code, int64_t age_ms)
{
    int64_t age = age_ms < 0 ? 0 : age_ms > AGE_MAX_MS ? AGE_MAX_MS : age_ms;

    tally->commands[op][code]++;
    tally->ages[bucket_of(&ages, age)]++;
    tally->age_sum_ms += age;
}

void acd_tally_add(const struct acd_tally *tally)
{
    for (int op = 0; op < ACD_OP_COUNT; op++)
        for (int code = 0; code < ACD_CODE_COUNT; code++)
            if (tally->commands[op][code])
                add(&acd_metric_command_cells[op][code], tally->commands[op][code]);
    for (int i = 0; i < ACD_BUCKETS_MAX; i++)
        if (tally->ages[i])
            add(&acd_metric_cells[ACD_METRIC_COMMAND_AGE].buckets[i], tally->ages[i]);
    add(&acd_metric_cells[ACD_METRIC_COMMAND_AGE].value, tally->age_sum_ms);
}

int64_t acd_metric_commands(void)
{
    int64_t sum = 0;

    for (int op = 0; op < ACD_OP_COUNT; op++)
        for (int code = 0; code < ACD_CODE_COUNT; code++)
            sum += atomic_load_explicit(&acd_metric_command_cells[op][code], memory_order_relaxed);
    return sum;
}
