/* Exports of whole apps: from the batch that accepts one to the batch that answers it.
 *
 * An open job stands in the changelog and in Redis, each time with the number of its present attempt. A
 * worker begins an attempt only after a batch of its own has written that number; whoever takes the partition
 * over writes the next one first. So no two files bear the same number, and the batch that ends a job, which
 * like any other is committed on the expected marker, names the file of one attempt. Such batches have no
 * records: marker and offset stay where they were, and all else is as with any batch. */
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/job.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/reply.h"
#include "exporter.h"
#include "worker_parts.h"

/* Between attempts: doubled each time. */
#define AGAIN_MS     500
#define AGAIN_MAX_MS 30000

/* An attempt that is this worker's to make. */
struct export
{
    struct export *next;
    int32_t partition;
    int64_t offset;
    int64_t attempt;
    struct acd_slice incarnation; /* of the Redis that is read; owned, empty while there is no task */
    struct acd_task *task;        /* NULL: not begun */
    int64_t again_at_ms;          /* it has failed, and the next one is made then; 0: it has not */
    bool open;                    /* its job is, as far as was looked */
};

/* ---- The list of exports */

static struct export *find(struct acd_worker *worker, int32_t partition, int64_t offset)
{
    struct export *export = worker->exports;

    while (export && (export->partition != partition || export->offset != offset))
        export = export->next;
    return export;
}

static void drop(struct acd_worker *worker, struct export *export)
{
    struct export **at = &worker->exports;

    while (*at != export)
        at = &(*at)->next;
    *at = export->next;
    acd_task_drop(export->task);
    free((void *)(uintptr_t) export->incarnation.data);
    free(export);
}

void acd_jobs_drop(struct acd_worker *worker)
{
    while (worker->exports)
        drop(worker, worker->exports);
}

/* From the batch on that writes its number, the attempt is this worker's. */
static void plan(struct acd_worker *worker, int32_t partition, const struct acd_job *job)
{
    struct export *export = find(worker, partition, job->offset);

    if (export)
        drop(worker, export);
    export = calloc(1, sizeof(*export));
    if (!export)
        acd_arena_no_memory(&worker->arena);
    *export = (struct export){
        .next = worker->exports, .partition = partition, .offset = job->offset, .attempt = job->attempt};
    worker->exports = export;
}

/* ---- Batches */

static struct acd_slice source_of(struct acd_worker *worker, int32_t partition, int64_t offset)
{
    return acd_arena_format(&worker->arena, "%s:%d:%lld", worker->shared->settings->kafka.commands, partition,
                            (long long)offset);
}

/* Adds the change of a job to what the part publishes and writes. */
static void change(struct acd_worker *worker, struct part *part, struct acd_outgoing_list *jobs,
                   const struct acd_outgoing *message)
{
    acd_outgoing_add(&worker->arena, &part->messages, message);
    acd_jobs_follow(&worker->arena, jobs, message);
    part->jobs = acd_jobs_encode(&worker->arena, jobs);
}

struct acd_refusal acd_jobs_open(struct acd_worker *worker, struct part *part, const struct item *item,
                                 struct acd_slice source)
{
    const struct acd_record *record = &item->record;
    struct acd_slice text = part->jobs.data ? part->jobs : item->partition->jobs;
    struct acd_job job = {
        record->offset,    1, record->timestamp_ms, record->key, record->value, item->headers,
        item->header_count};
    struct acd_outgoing_list jobs;
    struct acd_outgoing message;
    size_t bytes = record->key.len + record->value.len;

    for (uint32_t i = 0; i < item->header_count; i++)
        bytes += item->headers[i].name.len + item->headers[i].value.len;
    if (bytes > ACD_JOB_BYTES_MAX)
        return acd_refusal(&worker->arena, ACD_INVALID_FIELD, acd_slice_str("all"),
                           "the command has %zu bytes with its key and headers; one with all may have %zu",
                           bytes, ACD_JOB_BYTES_MAX);
    if (acd_jobs_decode(&worker->arena, text, &jobs) || jobs.count >= ACD_JOBS_MAX)
        return acd_refusal(&worker->arena, ACD_INTERNAL, acd_slice(NULL, 0),
                           "%u exports of whole apps are waiting already; try again when some are answered",
                           jobs.count);
    message = acd_job_message(&worker->arena, &job, source, worker->shared->settings->kafka.changelog,
                              item->partition->id);
    change(worker, part, &jobs, &message);
    plan(worker, item->partition->id, &job);
    return (struct acd_refusal){.code = ACD_OK};
}

/* Commits and publishes a part that has no records. The item is the job's, or that of none. */
static void run_batch(struct acd_worker *worker, struct part *part, struct item *item)
{
    int64_t now = acd_clock_us();
    struct batch batch = {
        .items = item, .item_count = 1, .parts = part, .part_count = 1, .began_us = now, .stage_us = now};

    acd_state_init(&batch.state, &worker->arena, 0);
    part->from = part->partition->next;
    part->last = part->partition->next - 1;
    if (!acd_batch_commit(worker, &batch))
        return;
    acd_batch_remember(worker, &batch);
    acd_batch_publish(worker, &batch, 1);
    acd_batch_note(worker);
}

/* Writes that the next attempt is this worker's. */
static void take_attempt(struct acd_worker *worker, struct partition *partition,
                         struct acd_outgoing_list *jobs, const struct acd_job *job)
{
    struct part part = {.partition = partition};
    struct item none = {.partition = partition};
    struct acd_job next = *job;
    struct acd_outgoing message;

    next.attempt++;
    message = acd_job_message(&worker->arena, &next, source_of(worker, partition->id, job->offset),
                              worker->shared->settings->kafka.changelog, partition->id);
    change(worker, &part, jobs, &message);
    plan(worker, partition->id, &next);
    run_batch(worker, &part, &none);
}

/* The job's command, read once more: what it asks for, and where its reply goes. */
static void read_command(struct acd_worker *worker, struct partition *partition, const struct acd_job *job,
                         struct item *item)
{
    *item = (struct item){.partition = partition,
                          .record = {.partition = partition->id,
                                     .offset = job->offset,
                                     .timestamp_ms = job->timestamp_ms,
                                     .key = job->key,
                                     .value = job->value},
                          .headers = job->headers,
                          .header_count = job->header_count};
    acd_batch_read_again(worker, item);
}

/* Publishes the reply, and the manifest before it when there is a file, and takes the job out. */
static void answer(struct acd_worker *worker, struct partition *partition, struct acd_outgoing_list *jobs,
                   struct item *item, const struct acd_manifest *manifest)
{
    const struct acd_command *command = &item->command;
    struct part part = {.partition = partition};
    struct acd_slice source = source_of(worker, partition->id, item->record.offset);
    struct acd_slice id = command->id.len ? command->id : source;
    struct acd_origin origin = acd_batch_origin(worker, item);
    struct acd_answer answer =
        manifest ? (struct acd_answer){.status = ACD_STATUS_OK} : acd_refuse(item->refusal);
    struct acd_outgoing ended = acd_job_ended(&worker->arena, item->record.offset, source,
                                              worker->shared->settings->kafka.changelog, partition->id);

    if (manifest) {
        acd_messages_manifest(worker, &part, manifest);
        acd_log(ACD_LOG_INFO,
                "export %.*s: attempt %lld is complete: %lld accounts, %lld deleted meanwhile, %lld left out",
                ACD_SLICE_ARGS(source), (long long)manifest->attempt, (long long)manifest->accounts,
                (long long)manifest->gone, (long long)manifest->left_out);
    }
    acd_messages_reply(
        worker, &part, item, &answer,
        acd_reply_encode(&worker->arena, item->encoding, command, &answer, id, &origin, manifest), source);
    change(worker, &part, jobs, &ended);
    item->answered = answer.refusal;
    item->decided = true;
    run_batch(worker, &part, item);
}

/* ---- Looking */

/* Begins the sweep. Rules may have changed since the command was accepted: then it is refused now. True when
 * a batch was run. */
static bool begin(struct acd_worker *worker, struct partition *partition, struct acd_outgoing_list *jobs,
                  const struct acd_job *job, struct export *export)
{
    struct acd_slice source = source_of(worker, partition->id, job->offset);
    struct acd_task_order order = {
        .source = source, .attempt = job->attempt, .incarnation = worker->incarnation};
    struct item item;

    read_command(worker, partition, job, &item);
    if (item.refusal.code != ACD_OK) {
        answer(worker, partition, jobs, &item, NULL);
        return true;
    }
    order.command = &item.command;
    order.id = item.command.id.len ? item.command.id : source;
    acd_assign_keep(worker, &export->incarnation, worker->incarnation);
    export->task = acd_exporter_begin(worker->shared->exporter, &order);
    if (!export->task)
        acd_arena_no_memory(&worker->arena);
    acd_log(ACD_LOG_INFO, "export %.*s: attempt %lld begins", ACD_SLICE_ARGS(source),
            (long long)job->attempt);
    return false;
}

static int64_t pause_ms(int64_t attempt)
{
    return attempt > 6 ? AGAIN_MAX_MS : (int64_t)AGAIN_MS << (attempt - 1);
}

static void note_failure(struct acd_worker *worker, struct export *export)
{
    export->again_at_ms = acd_clock_ms() + pause_ms(export->attempt);
    acd_metric_add(ACD_METRIC_EXPORT_ATTEMPTS_FAILED, 1);
    acd_log(ACD_LOG_WARNING, "export %.*s: attempt %lld failed, another one follows: %s",
            ACD_SLICE_ARGS(source_of(worker, export->partition, export->offset)), (long long)export->attempt,
            acd_task_error(export->task));
}

/* One open job. True when a batch was run, after which the partition has to be looked at anew. */
static bool look_at(struct acd_worker *worker, struct partition *partition, struct acd_outgoing_list *jobs,
                    const struct acd_job *job)
{
    struct export *export = find(worker, partition->id, job->offset);
    struct item item;

    if (!export || export->attempt != job->attempt ||
        (export->task && !acd_slice_equal(export->incarnation, worker->incarnation))) {
        take_attempt(worker, partition, jobs, job);
        return true;
    }
    export->open = true;
    if (!export->task)
        return begin(worker, partition, jobs, job, export);
    switch (acd_task_state(export->task)) {
    case ACD_TASK_UNDER_WAY:
        return false;
    case ACD_TASK_DONE:
        read_command(worker, partition, job, &item);
        item.refusal.code = ACD_OK;
        answer(worker, partition, jobs, &item, acd_task_manifest(export->task));
        return true;
    case ACD_TASK_FAILED:
        break;
    }
    if (!export->again_at_ms)
        note_failure(worker, export);
    if (acd_clock_ms() < export->again_at_ms)
        return false;
    take_attempt(worker, partition, jobs, job);
    return true;
}

/* True when a batch was run. */
static bool look_at_partition(struct acd_worker *worker, struct partition *partition)
{
    struct acd_outgoing_list jobs;
    struct acd_job job;

    if (acd_jobs_decode(&worker->arena, partition->jobs, &jobs)) {
        acd_assign_halt(worker, partition, "its open exports in Redis cannot be read");
        return true;
    }
    for (uint32_t i = 0; i < jobs.count; i++) {
        if (!acd_job_read(&jobs.items[i], &job)) {
            acd_assign_halt(worker, partition, "one of its open exports in Redis cannot be read");
            return true;
        }
        if (look_at(worker, partition, &jobs, &job))
            return true;
    }
    return false;
}

/* Those whose job has ended, or went to another worker with its partition. */
static void drop_closed(struct acd_worker *worker)
{
    struct export *next;

    for (struct export *export = worker->exports; export; export = next) {
        next = export->next;
        if (!export->open)
            drop(worker, export);
    }
}

bool acd_jobs_load(struct acd_worker *worker, struct partition *partition)
{
    struct acd_slice jobs;

    if (acd_store_jobs(worker->store, &worker->arena, partition->id, &jobs) != ACD_STORE_OK) {
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return false;
    }
    acd_jobs_keep(worker, partition, jobs);
    return true;
}

void acd_jobs_keep(struct acd_worker *worker, struct partition *partition, struct acd_slice jobs)
{
    struct acd_outgoing_list list;

    acd_assign_keep(worker, &partition->jobs, jobs);
    /* Bytes that cannot be read are found, and told, when the jobs are looked at. */
    if (acd_jobs_decode(&worker->arena, jobs, &list))
        return;
    acd_metric_add(ACD_METRIC_EXPORTS_OPEN, (int64_t)list.count - partition->job_count);
    partition->job_count = list.count;
}

void acd_jobs_look(struct acd_worker *worker)
{
    for (struct export *export = worker->exports; export; export = export->next)
        export->open = false;
    for (uint32_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];

        if (partition->phase == RUNNING && partition->jobs.len) {
            /* The next look sees what has become of the others. */
            if (look_at_partition(worker, partition))
                return;
        } else if (partition->phase != RUNNING) {
            for (struct export *export = worker->exports; export; export = export->next)
                export->open |= export->partition == partition->id;
        }
    }
    drop_closed(worker);
}
