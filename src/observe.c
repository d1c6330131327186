/* What is counted and logged of the worker's doings. Commands are counted when they are answered: a batch
 * that is decided twice, because an account had changed meanwhile, counts once. */
#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "worker_parts.h"

/* Between two counts of what is still to come. */
#define LAG_EVERY_MS 1000

static void count_flag(enum acd_metric metric, bool *counted, bool now)
{
    if (*counted != now)
        acd_metric_add(metric, now ? 1 : -1);
    *counted = now;
}

static void count_lag(struct acd_worker *worker)
{
    int64_t lag = 0;

    for (uint32_t i = 0; i < worker->partition_count; i++) {
        int64_t next = worker->partitions[i].next;
        int64_t first;
        int64_t end;

        if (!acd_consumer_known_bounds(worker->consumer, worker->partitions[i].id, &first, &end))
            continue;
        acd_metric_partition_lag(worker->partitions[i].id, end - (next > first ? next : first));
        lag += end - (next > first ? next : first);
    }
    acd_metric_add(ACD_METRIC_LAG, lag - worker->lag);
    worker->lag = lag;
}

void acd_observe_worker(struct acd_worker *worker)
{
    int64_t now = acd_clock_ms();

    count_flag(ACD_METRIC_REDIS_UP, &worker->redis_counted, acd_store_connected(worker->store));
    count_flag(ACD_METRIC_KAFKA_UP, &worker->kafka_counted, worker->joined && worker->producer);
    if (now < worker->lag_at_ms)
        return;
    worker->lag_at_ms = now + LAG_EVERY_MS;
    count_lag(worker);
}

void acd_observe_no_lag(struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count; i++)
        acd_metric_partition_lag(worker->partitions[i].id, -1);
    acd_metric_add(ACD_METRIC_LAG, -worker->lag);
    worker->lag = 0;
}

void acd_observe_end(struct acd_worker *worker)
{
    count_flag(ACD_METRIC_REDIS_UP, &worker->redis_counted, false);
    count_flag(ACD_METRIC_KAFKA_UP, &worker->kafka_counted, false);
    count_flag(ACD_METRIC_WORKERS_READY, &worker->ready, false);
}

void acd_observe_stage(struct batch *batch, enum acd_metric stage)
{
    int64_t now = acd_clock_us();

    acd_metric_observe(stage, now - batch->stage_us, 1);
    batch->stage_us = now;
}

#define ITEM_FIELDS 8

/* What an answered command says in the log beside the message. */
static void describe(const struct item *item, struct acd_log_field fields[ITEM_FIELDS])
{
    const struct acd_command *command = &item->command;
    struct acd_slice traceparent = {0};

    for (uint32_t i = 0; i < item->header_count; i++)
        if (acd_slice_is(item->headers[i].name, "traceparent"))
            traceparent = item->headers[i].value;
    fields[0] = acd_log_number("partition", item->record.partition);
    fields[1] = acd_log_number("offset", item->record.offset);
    fields[2] =
        acd_log_text("op", acd_slice_str(command->op == ACD_OP_NONE ? "none" : acd_op_text(command->op)));
    fields[3] = acd_log_text("code", acd_slice_str(acd_code_text(item->answered.code)));
    fields[4] = acd_log_text("id", command->id);
    fields[5] = acd_log_text("app", command->app);
    fields[6] = acd_log_text("account", command->account);
    fields[7] = acd_log_text("traceparent", traceparent);
}

/* A command that is refused is its producer's matter, and shows in the metrics. */
static void log_answered(const struct item *item)
{
    bool failed = item->answered.code == ACD_INTERNAL;
    struct acd_log_field fields[ITEM_FIELDS];

    if (!item->dead_letter && !failed && !acd_log_wants(ACD_LOG_DEBUG))
        return;
    describe(item, fields);
    if (failed)
        acd_log_fields(ACD_LOG_WARNING, fields, ITEM_FIELDS, "command failed: %.*s",
                       ACD_SLICE_ARGS(item->answered.message));
    else if (item->dead_letter)
        acd_log_fields(ACD_LOG_WARNING, fields, ITEM_FIELDS, "command put to the dead letters: %.*s",
                       ACD_SLICE_ARGS(item->answered.message));
    else
        acd_log_fields(ACD_LOG_DEBUG, fields, ITEM_FIELDS, "command answered");
}

void acd_observe_answered(const struct batch *batch)
{
    struct acd_tally tally = {0};
    struct timespec now;
    int64_t now_ms;
    uint32_t count = 0;
    uint32_t dead_letters = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    for (uint32_t i = 0; i < batch->item_count; i++) {
        const struct item *item = &batch->items[i];

        if (!item->decided)
            continue;
        log_answered(item);
        acd_tally_command(&tally, item->command.op, item->answered.code,
                          item->record.timestamp_ms > 0 ? now_ms - item->record.timestamp_ms : 0);
        dead_letters += item->dead_letter;
        count++;
    }
    acd_tally_add(&tally);
    acd_metric_add(ACD_METRIC_DEAD_LETTERS, dead_letters);
    acd_metric_observe(ACD_METRIC_BATCH_COMMANDS, count, 1);
    acd_metric_observe(ACD_METRIC_COMMAND_SECONDS, acd_clock_us() - batch->began_us, count);
}
