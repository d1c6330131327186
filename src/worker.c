/* The worker's loop, the only place that sees both sides: poll, take a batch, load, decide, commit to Redis,
 * publish to Kafka. What a crash between any two steps leaves behind is found and mended at the next
 * assignment (assign.c). */
#include "accountd/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "worker_parts.h"

/* How long a poll waits when there is nothing to do; a signal to stop is seen after it. */
#define IDLE_POLL_MS 100

/* Between tries to reach a server that is away. */
#define RETRY_MS 200

/* How often one transaction is tried with the same producer before it is made anew. */
#define PUBLISH_TRIES 5

void acd_worker_nonce(char out[ACD_NONCE_BYTES])
{
    unsigned char random[8];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        abort();
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
}

/* ---- What probes are told */

static void report(struct acd_worker *worker, bool ready, const char *reason)
{
    bool news;

    pthread_mutex_lock(&worker->lock);
    news = worker->ready != ready || strcmp(worker->reason, reason) != 0;
    worker->ready = ready;
    snprintf(worker->reason, sizeof(worker->reason), "%s", reason);
    pthread_mutex_unlock(&worker->lock);
    if (news && ready)
        acd_log(ACD_LOG_INFO, "worker %s: ready", worker->name);
    else if (news)
        acd_log(ACD_LOG_WARNING, "worker %s: %s", worker->name, reason);
}

void acd_worker_report(struct acd_worker *worker, const char *format, ...)
{
    char reason[sizeof(worker->reason)];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    report(worker, false, reason);
}

void acd_worker_report_ready(struct acd_worker *worker)
{
    report(worker, true, "");
}

bool acd_worker_ready(struct acd_worker *worker, char *reason, size_t reason_bytes)
{
    bool ready;

    pthread_mutex_lock(&worker->lock);
    ready = worker->ready;
    snprintf(reason, reason_bytes, "%s", worker->reason);
    pthread_mutex_unlock(&worker->lock);
    return ready;
}

/* ---- Polling */

/* Reads what is there, and waits only when there is nothing to decide. */
static bool gather(struct acd_worker *worker)
{
    uint32_t batch_max = (uint32_t)worker->shared->settings->worker.batch_max;
    int64_t wait_ms = worker->queued ? 0 : IDLE_POLL_MS;
    uint32_t before;

    if (worker->queued && worker->busy_count)
        wait_ms = BUSY_PAUSE_MS;
    do {
        before = worker->queued;
        if (!acd_worker_poll(worker, (int)wait_ms))
            return false;
        wait_ms = 0;
    } while (worker->queued > before && worker->queued < 2 * batch_max &&
             worker->queued_bytes < QUEUE_BYTES_MAX);
    return true;
}

/* ---- Redis */

bool acd_worker_redis(struct acd_worker *worker)
{
    char before[128];
    bool first = acd_store_identity(worker->store)[0] == '\0';

    if (acd_store_connected(worker->store))
        return true;
    snprintf(before, sizeof(before), "%s", acd_store_identity(worker->store));
    if (acd_store_connect(worker->store) != ACD_STORE_OK) {
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return false;
    }
    acd_metric_add(ACD_METRIC_REDIS_RECONNECTS, 1);
    /* Another identity means another memory: nothing that was decided on the old one may go over this
     * connection. */
    if (!first && strcmp(before, acd_store_identity(worker->store)) != 0) {
        acd_log(ACD_LOG_WARNING, "worker %s: Redis was restarted or replaced", worker->name);
        acd_assign_doubt(worker);
        return false;
    }
    return true;
}

/* Waits until Redis can be asked again, and keeps polling, or the group would throw this worker out. False
 * when the batch must be dropped. */
static bool hold(struct acd_worker *worker)
{
    int64_t retry_at = acd_clock_ms() + RETRY_MS;
    bool go_on = true;

    acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
    acd_consumer_pause(worker->consumer, true);
    while (go_on && acd_clock_ms() < retry_at)
        go_on = acd_worker_poll(worker, (int)(retry_at - acd_clock_ms()));
    acd_consumer_pause(worker->consumer, false);
    if (go_on && !acd_store_connected(worker->store))
        acd_worker_redis(worker);
    /* A doubt that came up on the way shows in the phases; the caller's parts see it. */
    return go_on;
}

/* ---- One batch */

static bool parts_run(const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->part_count; i++)
        if (batch->parts[i].partition->phase != RUNNING)
            return false;
    return batch->part_count > 0;
}

/* A refusal for good (a key of a wrong type) concerns one account: when several partitions are in the batch,
 * take them one at a time to see whose it is, and stop only that one. */
static void refused(struct acd_worker *worker, const struct batch *batch)
{
    if (batch->part_count > 1) {
        worker->one_partition = true;
        return;
    }
    acd_assign_halt(worker, batch->parts[0].partition, "Redis: %s", acd_store_error(worker->store));
    worker->one_partition = false;
}

static void make_markers(struct acd_worker *worker, struct batch *batch, struct acd_commit_part *parts)
{
    const struct acd_shared *shared = worker->shared;
    struct acd_marker marker;

    for (uint32_t i = 0; i < batch->part_count; i++) {
        struct part *part = &batch->parts[i];
        const struct acd_record *last = partition_record(part->partition, part->taken - 1);

        acd_worker_nonce(part->nonce);
        marker = (struct acd_marker){
            .from = part->partition->next == ACD_OFFSET_BEGINNING ? part->from : part->partition->next,
            .next = part->last + 1,
            .last = part->last};
        memcpy(marker.nonce, part->nonce, sizeof(marker.nonce));
        memcpy(marker.before, part->partition->nonce, sizeof(marker.before));
        acd_fingerprint(last->key, last->value, last->timestamp_ms, marker.fingerprint);
        marker.origin = acd_origin_format(
            &worker->arena, acd_slice_str(shared->own.cluster), acd_slice_str(shared->settings->kafka.group),
            acd_slice_str(shared->settings->kafka.commands), part->partition->id);
        part->marker = acd_marker_format(&worker->arena, &marker);
        parts[i] = (struct acd_commit_part){part->partition->id, part->partition->marker, part->marker,
                                            acd_outbox_encode(&worker->arena, &part->messages)};
    }
}

/* True when what Redis has instead of the expected marker is our own new one: an earlier try did get through.
 */
static bool is_own(const struct batch *batch, const struct acd_verdict *verdict)
{
    for (uint32_t i = 0; i < batch->part_count; i++)
        if (acd_slice_equal(batch->parts[i].marker, verdict->present))
            return true;
    return false;
}

static void drop_stale(struct acd_worker *worker, const struct acd_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->entry_count; i++)
        acd_cache_drop(worker->cache, verdict->entries[i]->hash, verdict->entries[i]->app->name,
                       verdict->entries[i]->name);
    acd_metric_add(ACD_METRIC_COMMIT_STALE, 1);
}

static void remember_busy(struct acd_worker *worker, const struct acd_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->entry_count && worker->busy_count < BUSY_MAX; i++)
        worker->busy[worker->busy_count++] = verdict->entries[i]->hash;
    for (uint32_t i = 0; i < verdict->app_count && worker->busy_count < BUSY_MAX; i++)
        worker->busy[worker->busy_count++] = acd_state_hash(verdict->apps[i]->name, acd_slice(NULL, 0));
    worker->busy_until_ms = acd_clock_ms() + BUSY_PAUSE_MS;
    acd_metric_add(ACD_METRIC_COMMIT_BUSY, 1);
}

/* Commits to Redis. True when the batch is applied and must be published. A connection that breaks on the way
 * is ambiguous: the same commit is sent again over a new one, and the marker tells. */
static bool commit(struct acd_worker *worker, struct batch *batch)
{
    struct acd_commit_part *parts = acd_arena_calloc(&worker->arena, batch->part_count, sizeof(*parts));
    struct acd_commit commit = {worker->incarnation, parts, batch->part_count, &batch->state};
    struct acd_verdict verdict;

    make_markers(worker, batch, parts);
    for (;;) {
        switch (acd_store_commit(worker->store, &worker->arena, &commit, &verdict)) {
        case ACD_STORE_OK:
            acd_metric_add(ACD_METRIC_BATCHES, 1);
            return true;
        case ACD_STORE_FENCED:
            if (is_own(batch, &verdict))
                return true;
            acd_log(ACD_LOG_WARNING, "worker %s: fenced at %.*s", worker->name,
                    ACD_SLICE_ARGS(verdict.fenced_at));
            acd_metric_add(ACD_METRIC_COMMIT_FENCED, 1);
            acd_assign_doubt(worker);
            return false;
        case ACD_STORE_STALE:
            drop_stale(worker, &verdict);
            return false;
        case ACD_STORE_BUSY:
            remember_busy(worker, &verdict);
            return false;
        case ACD_STORE_HALT:
            refused(worker, batch);
            return false;
        case ACD_STORE_DOWN:
        case ACD_STORE_LATER:
            if (!hold(worker) || !parts_run(batch))
                return false;
        }
    }
}

static void remember_accounts(struct acd_worker *worker, const struct batch *batch)
{
    for (const struct acd_entry *entry = batch->state.entries; entry; entry = entry->next)
        if (entry->touched &&
            acd_cache_get(worker->cache, entry->hash, entry->app->name, entry->name) != entry->current)
            acd_cache_put(worker->cache, entry->hash, entry->app->name, entry->name, entry->current);
    acd_cache_trim(worker->cache);
}

/* Tells Redis that batches are published, so that other partitions may build on what they wrote. It may fail:
 * then it is told again before the next batch, or by it. */
static void note_published(struct acd_worker *worker)
{
    int32_t *ids = acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*ids));
    struct acd_slice *markers = acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*markers));
    uint32_t count = 0;

    for (uint32_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];

        if (partition->phase != RUNNING || partition->noted || !partition->marker.len)
            continue;
        ids[count] = partition->id;
        markers[count++] = partition->marker;
    }
    if (count == 0 || acd_store_note(worker->store, &worker->arena, ids, markers, count) != ACD_STORE_OK)
        return;
    for (uint32_t i = 0; i < worker->partition_count; i++)
        worker->partitions[i].noted = true;
}

static void advance(struct acd_worker *worker, struct part *part)
{
    struct partition *partition = part->partition;

    acd_assign_mark(partition, part->marker, part->nonce);
    partition->next = part->last + 1;
    partition->changelog_end =
        acd_producer_changelog_end(worker->producer, partition->id) > partition->changelog_end
            ? acd_producer_changelog_end(worker->producer, partition->id)
            : partition->changelog_end;
    partition->noted = false;
    partition->set_aside = false;
    partition->careful -= partition->careful < part->taken ? partition->careful : part->taken;
    partition->proven = partition->careful == 0;
    acd_worker_release(worker, partition, part->taken);
}

/* All messages of the batch in one list, and the offsets with their tokens. */
static struct acd_outgoing_list flatten(struct acd_worker *worker, const struct batch *batch,
                                        struct acd_offset *offsets)
{
    struct acd_outgoing_list all = {0};
    struct acd_token token;

    for (uint32_t i = 0; i < batch->part_count; i++) {
        const struct part *part = &batch->parts[i];

        memcpy(token.nonce, part->nonce, sizeof(token.nonce));
        token.changelog_end = part->partition->changelog_end;
        offsets[i] = (struct acd_offset){part->partition->id, part->last + 1,
                                         acd_token_format(&worker->arena, &token)};
        for (uint32_t m = 0; m < part->messages.count; m++)
            acd_outgoing_add(&worker->arena, &all, &part->messages.items[m]);
    }
    return all;
}

void acd_worker_embedded_commit(struct acd_worker *worker, const struct acd_offset *offsets, uint32_t count)
{
    if (worker->shared->embedded && acd_consumer_commit(worker->consumer, offsets, count))
        acd_log(ACD_LOG_WARNING, "worker %s: %s", worker->name, acd_consumer_error(worker->consumer));
}

/* Publishes what was committed. When it cannot be said whether that worked, the next assignment finds out. */
static void publish(struct acd_worker *worker, struct batch *batch)
{
    struct acd_offset *offsets = acd_arena_calloc(&worker->arena, batch->part_count, sizeof(*offsets));
    struct acd_outgoing_list messages = flatten(worker, batch, offsets);
    enum acd_publish result = ACD_PUBLISH_AGAIN;

    for (int tries = 0; result == ACD_PUBLISH_AGAIN && tries < PUBLISH_TRIES; tries++)
        result = acd_producer_publish(worker->producer, acd_consumer_group(worker->consumer), offsets,
                                      batch->part_count, messages.items, messages.count);
    if (result == ACD_PUBLISHED) {
        acd_metric_add(ACD_METRIC_TRANSACTIONS_COMMITTED, 1);
        acd_worker_embedded_commit(worker, offsets, batch->part_count);
        for (uint32_t i = 0; i < batch->part_count; i++)
            advance(worker, &batch->parts[i]);
        return;
    }
    acd_metric_add(ACD_METRIC_TRANSACTIONS_FAILED, 1);
    acd_log(ACD_LOG_WARNING, "worker %s: transaction: %s", worker->name,
            acd_producer_error(worker->producer));
    if (result != ACD_PUBLISH_FENCED) {
        acd_producer_close(worker->producer);
        worker->producer = NULL;
    }
    acd_assign_doubt(worker);
}

/* Counts, before a partition's first batch since its assignment, the attempts to get past its next record:
 * one that ended the process again and again is set aside. False when Redis could not be asked. */
static bool count_attempts(struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];
        int64_t before;

        if (partition->proven || partition->phase != RUNNING || !partition->queued)
            continue;
        if (acd_store_attempt(worker->store, &worker->arena, partition->id,
                              partition_record(partition, 0)->offset, &before) != ACD_STORE_OK)
            return false;
        partition->set_aside = before >= ATTEMPTS_MAX;
        if (before > 0 && partition->careful == 0)
            partition->careful = worker->shared->settings->worker.batch_max;
    }
    return true;
}

static void run_batch(struct acd_worker *worker)
{
    struct batch batch;
    enum acd_store loaded;

    note_published(worker);
    if (!count_attempts(worker)) {
        hold(worker);
        return;
    }
    acd_batch_take(worker, &batch);
    if (batch.item_count == 0)
        return;
    while ((loaded = acd_batch_load(worker, &batch)) != ACD_STORE_OK) {
        if (loaded == ACD_STORE_HALT) {
            refused(worker, &batch);
            return;
        }
        if (!hold(worker) || !parts_run(&batch))
            return;
    }
    acd_batch_decide(worker, &batch);
    if (batch.part_count == 0 || !commit(worker, &batch))
        return;
    remember_accounts(worker, &batch);
    publish(worker, &batch);
    note_published(worker);
}

/* ---- The loop */

static bool any_phase(const struct acd_worker *worker, enum phase phase)
{
    for (uint32_t i = 0; i < worker->partition_count; i++)
        if (worker->partitions[i].phase == phase)
            return true;
    return false;
}

/* A producer whose transaction failed is made anew; that also ends what it had left open. */
static bool have_producer(struct acd_worker *worker)
{
    char error[256] = "";

    if (worker->producer)
        return true;
    worker->producer = acd_producer_open(worker->shared->settings, worker->name, error, sizeof(error));
    if (!worker->producer)
        acd_worker_report(worker, "Kafka: producer: %s", error);
    return worker->producer != NULL;
}

/* One turn: everything it allocates is the arena's, and is gone after it. */
static void turn(struct acd_worker *worker)
{
    if (!gather(worker)) {
        if (acd_consumer_epoch(worker->consumer) != worker->epoch)
            acd_assign_take(worker);
        return;
    }
    if (!worker->joined) {
        acd_worker_report(worker, "waiting for the consumer group");
        return;
    }
    if (!have_producer(worker) || !acd_worker_redis(worker)) {
        acd_clock_sleep_ms(RETRY_MS);
        return;
    }
    if (any_phase(worker, UNRESOLVED))
        acd_assign_resolve(worker);
    if (any_phase(worker, UNRESOLVED) || any_phase(worker, HALTED))
        ; /* reported where it was found */
    else
        acd_worker_report_ready(worker);
    if (worker->busy_count && acd_clock_ms() >= worker->busy_until_ms)
        worker->busy_count = 0;
    if (worker->queued)
        run_batch(worker);
}

static void *run(void *context)
{
    struct acd_worker *worker = context;
    jmp_buf no_memory;

    if (setjmp(no_memory)) {
        /* Nothing was written: a commit happens only after all that needs memory. */
        acd_worker_report(worker, "no memory; the batch is decided again");
        acd_assign_doubt(worker);
        acd_clock_sleep_ms(RETRY_MS);
    }
    worker->arena.guard = &no_memory;
    while (!atomic_load(&worker->shared->stop)) {
        acd_arena_reset(&worker->arena);
        turn(worker);
    }
    worker->arena.guard = NULL;
    return NULL;
}

static void free_worker(struct acd_worker *worker)
{
    acd_assign_free(worker);
    acd_consumer_close(worker->consumer);
    acd_producer_close(worker->producer);
    acd_store_close(worker->store);
    acd_cache_free(worker->cache);
    acd_arena_free(&worker->arena);
    free((void *)(uintptr_t)worker->incarnation.data);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

struct acd_worker *acd_worker_start(struct acd_shared *shared, int slot)
{
    struct acd_worker *worker = calloc(1, sizeof(*worker));
    char host[65] = "";
    char error[256] = "no memory";

    if (!worker)
        return NULL;
    gethostname(host, sizeof(host) - 1);
    worker->shared = shared;
    worker->slot = slot;
    snprintf(worker->name, sizeof(worker->name), "%.80s-%s-%d", shared->settings->kafka.group, host, slot);
    snprintf(worker->reason, sizeof(worker->reason), "starting");
    pthread_mutex_init(&worker->lock, NULL);
    acd_arena_init(&worker->arena);
    worker->store = acd_store_open(shared->settings);
    worker->cache = acd_cache_new(ACD_CACHE_BYTES);
    worker->consumer = acd_consumer_open(shared->settings, error, sizeof(error));
    if (worker->store && worker->cache && worker->consumer &&
        pthread_create(&worker->thread, NULL, run, worker) == 0)
        return worker;
    acd_log(ACD_LOG_ERROR, "worker %s: %s", worker->name, error);
    free_worker(worker);
    return NULL;
}

void acd_worker_join(struct acd_worker *worker)
{
    if (!worker)
        return;
    pthread_join(worker->thread, NULL);
    free_worker(worker);
}
