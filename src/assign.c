/* What is found when partitions are assigned, or when something did not go as expected: the offset committed
 * in Kafka against the marker in Redis (position.h), and whether this Redis is the one that Kafka knows. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/pending.h"
#include "worker_parts.h"

/* Between looking twice at something that another worker may be in the middle of. */
#define LOOK_AGAIN_MS 300

static void free_partition(struct acd_worker *worker, struct partition *partition)
{
    acd_worker_release(worker, partition, partition->queued);
    free(partition->queue);
    free((void *)(uintptr_t)partition->marker.data);
    free((void *)(uintptr_t)partition->jobs.data);
    acd_metric_add(ACD_METRIC_EXPORTS_OPEN, -(int64_t)partition->job_count);
}

void acd_assign_give_up(struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count && acd_store_connected(worker->store); i++) {
        struct partition *partition = &worker->partitions[i];

        /* When it cannot be taken back, a rebalance passes for a death: one of the three that it takes. */
        if (!partition->proven && partition->counted >= 0 &&
            acd_store_attempts(worker->store, &worker->arena, partition->id, partition->counted,
                               worker->token, ACD_ATTEMPTS_FORGET, NULL) != ACD_STORE_OK)
            acd_log(ACD_LOG_INFO, "partition %d: an attempt stays counted: %s", partition->id,
                    acd_store_error(worker->store));
    }
}

void acd_assign_free(struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count; i++)
        free_partition(worker, &worker->partitions[i]);
    acd_metric_add(ACD_METRIC_ASSIGNED_PARTITIONS, -(int64_t)worker->partition_count);
    for (uint32_t i = 0; i < worker->partition_count; i++)
        if (worker->partitions[i].phase == HALTED)
            acd_metric_add(ACD_METRIC_HALTED_PARTITIONS, -1);
    acd_observe_no_lag(worker);
    free(worker->partitions);
    worker->partitions = NULL;
    worker->partition_count = 0;
}

void acd_assign_take(struct acd_worker *worker)
{
    const int32_t *assigned;
    uint32_t count = acd_consumer_assigned(worker->consumer, &assigned);
    struct partition *partitions;

    acd_assign_give_up(worker);
    partitions = calloc((size_t)count + 1, sizeof(*partitions));
    /* The epoch stays what it was, so that the next turn comes here again. */
    if (!partitions)
        acd_arena_no_memory(&worker->arena);
    acd_assign_free(worker);
    worker->partitions = partitions;
    worker->epoch = acd_consumer_epoch(worker->consumer);
    worker->joined = acd_consumer_group(worker->consumer) != NULL;
    worker->busy_count = 0;
    worker->lists_refused = 0;
    worker->alone = NULL;
    for (uint32_t i = 0; i < count; i++) {
        worker->partitions[i].id = assigned[i];
        worker->partitions[i].verify_offset = -1;
        worker->partitions[i].missed = -1;
        worker->partitions[i].counted = -1;
        memcpy(worker->partitions[i].nonce, ACD_NO_NONCE, sizeof(ACD_NO_NONCE));
    }
    worker->partition_count = count;
    acd_metric_add(ACD_METRIC_ASSIGNED_PARTITIONS, count);
    if (worker->joined) {
        acd_metric_add(ACD_METRIC_REBALANCES, 1);
        acd_log(ACD_LOG_INFO, "worker %s: partitions assigned: %u", worker->name, count);
    }
}

void acd_assign_doubt(struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];

        acd_worker_release(worker, partition, partition->queued);
        if (partition->phase == RUNNING)
            partition->phase = UNRESOLVED;
    }
}

void acd_assign_halt(struct acd_worker *worker, struct partition *partition, const char *format, ...)
{
    const struct acd_log_field at[] = {acd_log_number("partition", partition->id),
                                       acd_log_number("offset", partition->next)};
    char reason[400];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (partition->phase != HALTED)
        acd_metric_add(ACD_METRIC_HALTED_PARTITIONS, 1);
    partition->phase = HALTED;
    acd_worker_release(worker, partition, partition->queued);
    acd_log_fields(ACD_LOG_ERROR, at, 2, "partition %d is halted: %s", partition->id, reason);
    acd_worker_report(worker, "partition %d is halted: %s", partition->id, reason);
}

void acd_assign_unhalt(struct partition *partition)
{
    partition->phase = UNRESOLVED;
    partition->until_retry = false;
    acd_metric_add(ACD_METRIC_HALTED_PARTITIONS, -1);
}

void acd_assign_keep(struct acd_worker *worker, struct acd_slice *kept, struct acd_slice value)
{
    char *copy = malloc(value.len + 1);

    if (!copy)
        acd_arena_no_memory(&worker->arena);
    /* Without jobs there are no bytes, and memcpy takes no null pointer. */
    if (value.len)
        memcpy(copy, value.data, value.len);
    free((void *)(uintptr_t)kept->data);
    *kept = acd_slice(copy, value.len);
}

struct acd_slice acd_assign_origin(struct acd_worker *worker, int32_t partition)
{
    const struct acd_shared *shared = worker->shared;

    return acd_origin_format(&worker->arena, acd_slice_str(shared->own.cluster),
                             acd_slice_str(shared->settings->kafka.group),
                             acd_slice_str(shared->settings->kafka.commands), partition);
}

void acd_assign_mark(struct acd_worker *worker, struct partition *partition, struct acd_slice marker,
                     const char *nonce)
{
    acd_assign_keep(worker, &partition->marker, marker);
    snprintf(partition->nonce, sizeof(partition->nonce), "%s", nonce);
}

/* The messages of pending batches in one list. Returns 0, or -1 when an outbox cannot be read. */
static int decode_pending(struct acd_worker *worker, const struct acd_pending *pending,
                          struct acd_outgoing_list *out)
{
    struct acd_outgoing_list messages;

    *out = (struct acd_outgoing_list){0};
    for (uint32_t i = 0; i < pending->count; i++) {
        if (acd_outbox_decode(&worker->arena, pending->outboxes[i], &messages))
            return -1;
        acd_outgoing_join(&worker->arena, out, &messages);
    }
    return 0;
}

/* Publishes what an earlier owner applied and did not answer, word for word. */
static bool answer_pending(struct acd_worker *worker, struct partition *partition,
                           const struct acd_pending *pending, const struct acd_marker *marker)
{
    struct acd_outgoing_list messages;
    struct acd_token token = {.changelog_end = partition->changelog_end, .floor_ms = partition->floor_ms};
    struct acd_offset offset = {.partition = partition->id, .next = marker->next};
    const struct acd_log_field at[] = {acd_log_number("partition", partition->id),
                                       acd_log_number("offset", pending->from)};

    if (pending->count == 0) {
        /* Most likely this partition is another worker's by now, which has answered the batch meanwhile: the
         * next poll tells. */
        if (++partition->lost == 1)
            acd_worker_report(worker, "partition %d is looked at again", partition->id);
        return false;
    }
    if (decode_pending(worker, pending, &messages)) {
        acd_assign_halt(worker, partition,
                        "its last batch was applied and not answered, and its outbox cannot be read");
        return true;
    }
    memcpy(token.nonce, marker->nonce, sizeof(token.nonce));
    offset.token = acd_token_format(&worker->arena, &token);
    if (!acd_publish(worker, &offset, 1, &messages, false))
        return false;
    acd_metric_add(ACD_METRIC_OUTBOX_ANSWERED, pending->count);
    acd_log_fields(ACD_LOG_INFO, at, 2,
                   "partition %d: answered the batch from offset %lld to %lld from the outbox", partition->id,
                   (long long)pending->from, (long long)marker->last);
    return true;
}

/* From here on the partition is decided; the last record is fetched once more, to see that the log is the
 * same. */
static void run_from(struct acd_worker *worker, struct partition *partition,
                     const struct acd_committed *committed, struct acd_slice text,
                     const struct acd_marker *marker)
{
    struct acd_token token = {.changelog_end = 0};

    partition->phase = RUNNING;
    partition->lost = 0;
    partition->proven = false;
    partition->careful = 0;
    partition->set_aside = false;
    partition->looked_up = false;
    partition->counted = -1;
    partition->noted = marker == NULL;
    partition->steps = 0;
    if (committed->exists && acd_token_parse(committed->metadata, &token) &&
        token.changelog_end > partition->changelog_end)
        partition->changelog_end = token.changelog_end;
    if (!marker) {
        partition->next = ACD_OFFSET_BEGINNING;
        return;
    }
    partition->next = marker->next;
    partition->verify_offset = partition->skip_verify ? -1 : marker->last;
    memcpy(partition->fingerprint, marker->fingerprint, sizeof(partition->fingerprint));
    acd_assign_mark(worker, partition, text, marker->nonce);
}

/* Commands were given more partitions than the changelog has: it gets as many. */
static bool have_changelog(struct acd_worker *worker, const struct partition *partition)
{
    const struct acd_settings *settings = worker->shared->settings;
    struct acd_topics *topics = worker->shared->topics;
    char error[256] = "";
    int32_t count;

    if (partition->id < acd_topics_partitions(topics, acd_slice_str(settings->kafka.changelog)))
        return true;
    if (acd_consumer_partitions(worker->consumer, &count)) {
        acd_worker_report(worker, "Kafka: %s", acd_consumer_error(worker->consumer));
        return false;
    }
    if (acd_topics_grow(topics, settings->kafka.changelog, count, error, sizeof(error)) == 0)
        return true;
    acd_worker_report(worker, "partition %d waits: topic %s needs %d partitions: %s", partition->id,
                      settings->kafka.changelog, count, error);
    return false;
}

/* Finds out where one partition stands: its phase tells what came of it. */
static void resolve_one(struct acd_worker *worker, struct partition *partition,
                        const struct acd_committed *committed, struct acd_slice text)
{
    struct acd_marker marker;
    struct acd_pending pending;
    struct acd_slice origin = acd_assign_origin(worker, partition->id);
    struct acd_token token;

    if (committed->exists && acd_token_parse(committed->metadata, &token) &&
        token.floor_ms > partition->floor_ms)
        partition->floor_ms = token.floor_ms;
    if (text.data && (!acd_marker_parse(text, &marker) || !acd_slice_equal(marker.origin, origin))) {
        acd_assign_halt(worker, partition, "its marker in Redis is not this deployment's: %.*s",
                        ACD_SLICE_ARGS(text));
        return;
    }
    if (!have_changelog(worker, partition))
        return;
    if (acd_pending_read(worker->store, &worker->arena, partition->id, committed, text,
                         text.data ? &marker : NULL, &pending) != ACD_STORE_OK) {
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return;
    }
    switch (pending.standing) {
    case ACD_STANDING_CLEAN:
        if (!acd_jobs_load(worker, partition))
            return;
        run_from(worker, partition, committed, text, text.data ? &marker : NULL);
        return;
    case ACD_STANDING_PENDING:
        if (answer_pending(worker, partition, &pending, &marker) && partition->phase != HALTED &&
            acd_jobs_load(worker, partition))
            run_from(worker, partition, committed, text, &marker);
        return;
    case ACD_STANDING_FOREIGN:
        acd_assign_halt(worker, partition,
                        "its committed offset %lld was set by somebody else than accountd, so that commands "
                        "may have been "
                        "skipped or would be repeated; accept it by accountctl rebuild --accept-offsets",
                        (long long)committed->offset);
        return;
    case ACD_STANDING_LOST:
        break;
    }
    if (++partition->lost == 1)
        acd_worker_report(worker, "partition %d is looked at again", partition->id);
    else if (!committed->exists)
        acd_assign_halt(worker, partition,
                        "Kafka has forgotten the group's committed offset: set it to %lld, and accept it by "
                        "accountctl rebuild --accept-offsets",
                        (long long)marker.next);
}

/* The marker of a partition, looked at twice, does not fit what was answered. */
static bool any_lost(const struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count; i++)
        if (worker->partitions[i].phase == UNRESOLVED && worker->partitions[i].lost > 1)
            return true;
    return false;
}

/* Fetching starts anew for all that run: the consumer knows only whole assignments. */
static void start_fetching(struct acd_worker *worker)
{
    struct acd_position *positions =
        acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*positions));
    uint32_t count = 0;

    for (uint32_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];

        if (partition->phase != RUNNING)
            continue;
        acd_worker_release(worker, partition, partition->queued);
        positions[count++] = (struct acd_position){
            partition->id, partition->verify_offset >= 0 ? partition->verify_offset : partition->next};
    }
    if (acd_consumer_start(worker->consumer, positions, count)) {
        acd_worker_report(worker, "Kafka: %s", acd_consumer_error(worker->consumer));
        acd_assign_doubt(worker);
    }
}

/* Committed offsets are read before the markers: the other way round, a batch that is applied and published
 * in between would look like lost memory. */
void acd_assign_resolve(struct acd_worker *worker)
{
    uint32_t count = 0;
    int32_t *ids = acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*ids));
    struct partition **open = acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*open));
    struct acd_committed *committed;
    struct acd_slice *markers;
    bool news = false;
    bool all = true;

    for (uint32_t i = 0; i < worker->partition_count; i++)
        if (worker->partitions[i].phase == UNRESOLVED) {
            open[count] = &worker->partitions[i];
            ids[count++] = worker->partitions[i].id;
        }
    committed = acd_arena_calloc(&worker->arena, count, sizeof(*committed));
    markers = acd_arena_calloc(&worker->arena, count, sizeof(*markers));
    if (acd_consumer_committed(worker->consumer, &worker->arena, ids, count, committed)) {
        acd_worker_report(worker, "Kafka: %s", acd_consumer_error(worker->consumer));
        return;
    }
    if (!acd_incarnation_check(worker)) {
        acd_clock_sleep_ms(LOOK_AGAIN_MS);
        return;
    }
    if (acd_store_markers(worker->store, &worker->arena, ids, count, markers) != ACD_STORE_OK) {
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return;
    }
    /* Another one first each time: one whose batch cannot be published costs the producer, but not the
     * others. */
    worker->turn++;
    for (uint32_t i = 0; i < count && worker->producer; i++) {
        uint32_t n = (worker->turn + i) % count;

        resolve_one(worker, open[n], &committed[n], markers[n]);
    }
    for (uint32_t i = 0; i < count; i++) {
        news |= open[i]->phase != UNRESOLVED;
        all &= open[i]->phase != UNRESOLVED;
    }
    if (news)
        start_fetching(worker);
    if (any_lost(worker)) {
        acd_incarnation_recover(worker);
        return;
    }
    if (!all)
        acd_clock_sleep_ms(LOOK_AGAIN_MS);
}
