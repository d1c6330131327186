/* What is found when partitions are assigned, or when something did not go as expected: the offset committed
 * in Kafka against the marker in Redis (position.h), and whether this Redis is the one that Kafka knows. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "worker_parts.h"

/* The broker may forget an offset after days without a commit of it. */
#define ANNOUNCE_EVERY_MS (12LL * 3600 * 1000)
#define ANNOUNCE_AGAIN_MS (60LL * 1000)

/* Between looking twice at something that another worker may be in the middle of. */
#define LOOK_AGAIN_MS 300

static void free_partition(struct acd_worker *worker, struct partition *partition)
{
    acd_worker_release(worker, partition, partition->queued);
    free(partition->queue);
    free((void *)(uintptr_t)partition->marker.data);
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
    free(worker->partitions);
    worker->partitions = NULL;
    worker->partition_count = 0;
}

void acd_assign_take(struct acd_worker *worker)
{
    const int32_t *assigned;
    uint32_t count = acd_consumer_assigned(worker->consumer, &assigned);

    acd_assign_give_up(worker);
    acd_assign_free(worker);
    worker->epoch = acd_consumer_epoch(worker->consumer);
    worker->joined = acd_consumer_group(worker->consumer) != NULL;
    worker->busy_count = 0;
    worker->alone = NULL;
    worker->partitions = calloc((size_t)count + 1, sizeof(*worker->partitions));
    if (!worker->partitions)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        worker->partitions[i].id = assigned[i];
        worker->partitions[i].verify_offset = -1;
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
    char reason[400];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (partition->phase != HALTED)
        acd_metric_add(ACD_METRIC_HALTED_PARTITIONS, 1);
    partition->phase = HALTED;
    acd_worker_release(worker, partition, partition->queued);
    acd_log(ACD_LOG_ERROR, "partition %d is halted: %s", partition->id, reason);
    acd_worker_report(worker, "partition %d is halted: %s", partition->id, reason);
}

/* Keeps a copy of the value beyond the batch, in place of what was kept. */
static void keep(struct acd_slice *kept, struct acd_slice value)
{
    char *copy = malloc(value.len + 1);

    if (!copy)
        abort();
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

void acd_assign_mark(struct partition *partition, struct acd_slice marker, const char *nonce)
{
    keep(&partition->marker, marker);
    snprintf(partition->nonce, sizeof(partition->nonce), "%s", nonce);
}

static void forget_incarnation(struct acd_worker *worker)
{
    free((void *)(uintptr_t)worker->incarnation.data);
    worker->incarnation = acd_slice(NULL, 0);
}

/* Revisions are unique within one incarnation: the cache goes with it. */
static void take_incarnation(struct acd_worker *worker, struct acd_slice incarnation)
{
    if (acd_slice_equal(worker->incarnation, incarnation))
        return;
    acd_cache_clear(worker->cache);
    keep(&worker->incarnation, incarnation);
}

/* True when the incarnation was made in the Redis that is connected. */
static bool made_here(const struct acd_worker *worker, struct acd_slice incarnation)
{
    struct acd_slice identity = acd_slice_str(acd_store_identity(worker->store));

    return incarnation.len > identity.len && incarnation.data[identity.len] == ' ' &&
           memcmp(incarnation.data, identity.data, identity.len) == 0;
}

/* True when the group has never committed anything for any partition of the command topic. */
static bool never_committed(struct acd_worker *worker, bool *answer)
{
    uint32_t count = (uint32_t)worker->shared->own.commands;
    int32_t *all = acd_arena_calloc(&worker->arena, count, sizeof(*all));
    struct acd_committed *committed = acd_arena_calloc(&worker->arena, count, sizeof(*committed));

    for (uint32_t i = 0; i < count; i++)
        all[i] = (int32_t)i;
    if (acd_consumer_committed(worker->consumer, &worker->arena, all, count, committed))
        return false;
    *answer = true;
    for (uint32_t i = 0; i < count; i++)
        *answer = *answer && !committed[i].exists;
    return true;
}

/* The first start of all: nothing in Kafka, and in Redis nothing, or what another worker has just written on
 * the same errand. Redis first, so that a crash in between leaves something that the next worker can
 * announce. */
static bool found_group(struct acd_worker *worker)
{
    struct acd_slice present;
    struct acd_slice proposal;
    char nonce[ACD_NONCE_BYTES];

    acd_worker_nonce(nonce);
    proposal = acd_arena_format(&worker->arena, "%s %s", acd_store_identity(worker->store), nonce);
    if (acd_store_establish(worker->store, &worker->arena, proposal, worker->shared->own.commands,
                            &present) != ACD_STORE_OK) {
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return false;
    }
    if (!made_here(worker, present)) {
        acd_worker_report(worker,
                          "Redis holds data of another accountd, or of one whose group Kafka has forgotten: "
                          "it is not used");
        return false;
    }
    if (acd_consumer_announce(worker->consumer, present)) {
        acd_worker_report(worker, "Kafka: %s", acd_consumer_error(worker->consumer));
        return false;
    }
    take_incarnation(worker, present);
    acd_log(ACD_LOG_INFO, "worker %s: this Redis is new and is taken into use", worker->name);
    return true;
}

void acd_assign_announce(struct acd_worker *worker)
{
    bool first = worker->partition_count > 0 && worker->partitions[0].id == 0;

    if (!first || !worker->incarnation.len || acd_clock_ms() < worker->announce_at_ms)
        return;
    if (acd_consumer_announce(worker->consumer, worker->incarnation)) {
        acd_log(ACD_LOG_WARNING, "worker %s: %s", worker->name, acd_consumer_error(worker->consumer));
        worker->announce_at_ms = acd_clock_ms() + ANNOUNCE_AGAIN_MS;
    } else {
        worker->announce_at_ms = acd_clock_ms() + ANNOUNCE_EVERY_MS;
    }
}

/* True when Redis is whole: the incarnation it holds is the one that is announced in Kafka, and was made in
 * this very Redis. Anything else means that Redis has lost, mixed or exchanged its memory. */
static bool check_incarnation(struct acd_worker *worker)
{
    struct acd_committed announced;
    struct acd_slice present;
    bool never = false;

    if (acd_consumer_announced(worker->consumer, &worker->arena, &announced)) {
        acd_worker_report(worker, "Kafka: %s", acd_consumer_error(worker->consumer));
        return false;
    }
    if (acd_store_incarnation(worker->store, &worker->arena, &present) != ACD_STORE_OK) {
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return false;
    }
    if (announced.exists && acd_slice_equal(announced.metadata, present) && made_here(worker, present)) {
        take_incarnation(worker, present);
        return true;
    }
    if (!announced.exists) {
        if (!never_committed(worker, &never)) {
            acd_worker_report(worker, "Kafka: %s", acd_consumer_error(worker->consumer));
            return false;
        }
        if (never)
            return found_group(worker);
    }
    forget_incarnation(worker);
    acd_worker_report(
        worker,
        "Redis is not whole: %s; no command is applied, so that no reply becomes untrue, and restoring it "
        "from the changelog is not built yet",
        !present.data                 ? "its incarnation key is gone (a flush, or an empty Redis)"
        : !made_here(worker, present) ? "it was restarted or replaced since the last batch"
        : !announced.exists           ? "Kafka does not know its incarnation any more"
                                      : "Kafka knows another incarnation");
    return false;
}

/* Publishes the batch that an earlier owner applied and did not answer, word for word. */
static bool answer_pending(struct acd_worker *worker, struct partition *partition, struct acd_slice text,
                           const struct acd_marker *marker)
{
    struct acd_outgoing_list messages;
    struct acd_slice outbox;
    struct acd_token token = {.changelog_end = partition->changelog_end};
    struct acd_offset offset = {.partition = partition->id, .next = marker->next};

    if (acd_store_outbox(worker->store, &worker->arena, partition->id, text, &outbox) != ACD_STORE_OK) {
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return false;
    }
    if (!outbox.data || acd_outbox_decode(&worker->arena, outbox, &messages)) {
        acd_assign_halt(worker, partition,
                        "its last batch was applied and not answered, and its outbox is not there");
        return true;
    }
    memcpy(token.nonce, marker->nonce, sizeof(token.nonce));
    offset.token = acd_token_format(&worker->arena, &token);
    if (!acd_publish(worker, &offset, 1, &messages, false))
        return false;
    acd_metric_add(ACD_METRIC_OUTBOX_ANSWERED, 1);
    acd_log(ACD_LOG_INFO, "partition %d: answered the batch from offset %lld to %lld from the outbox",
            partition->id, (long long)marker->from, (long long)marker->last);
    return true;
}

/* From here on the partition is decided; the last record is fetched once more, to see that the log is the
 * same. */
static void run_from(struct partition *partition, const struct acd_committed *committed,
                     struct acd_slice text, const struct acd_marker *marker)
{
    struct acd_token token = {.changelog_end = 0};

    partition->phase = RUNNING;
    partition->proven = false;
    partition->careful = 0;
    partition->set_aside = false;
    partition->looked_up = false;
    partition->counted = -1;
    partition->noted = marker == NULL;
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
    acd_assign_mark(partition, text, marker->nonce);
}

/* Finds out where one partition stands: its phase tells what came of it. */
static void resolve_one(struct acd_worker *worker, struct partition *partition,
                        const struct acd_committed *committed, struct acd_slice text)
{
    struct acd_marker marker;
    const struct acd_settings *settings = worker->shared->settings;
    struct acd_slice origin = acd_assign_origin(worker, partition->id);

    if (text.data && (!acd_marker_parse(text, &marker) || !acd_slice_equal(marker.origin, origin))) {
        acd_assign_halt(worker, partition, "its marker in Redis is not this deployment's: %.*s",
                        ACD_SLICE_ARGS(text));
        return;
    }
    if (partition->id >=
        acd_topics_partitions(worker->shared->topics, acd_slice_str(settings->kafka.changelog))) {
        acd_assign_halt(worker, partition, "topic %s has no such partition: give it as many as %s has",
                        settings->kafka.changelog, settings->kafka.commands);
        return;
    }
    switch (acd_standing(committed, text.data ? &marker : NULL)) {
    case ACD_STANDING_CLEAN:
        run_from(partition, committed, text, text.data ? &marker : NULL);
        return;
    case ACD_STANDING_PENDING:
        if (answer_pending(worker, partition, text, &marker) && partition->phase != HALTED)
            run_from(partition, committed, text, &marker);
        return;
    case ACD_STANDING_FOREIGN:
        acd_assign_halt(
            worker, partition,
            "its committed offset %lld was set by somebody else than accountd; commands may have been "
            "skipped or would be repeated",
            (long long)committed->offset);
        return;
    case ACD_STANDING_LOST:
        break;
    }
    acd_worker_report(
        worker,
        "Redis is not whole: partition %d is at offset %lld in Kafka, and its marker in Redis is %s%.*s",
        partition->id, (long long)(committed->exists ? committed->offset : -1), text.data ? "" : "missing",
        ACD_SLICE_ARGS(text));
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
    if (!check_incarnation(worker)) {
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
    if (!all)
        acd_clock_sleep_ms(LOOK_AGAIN_MS);
}
