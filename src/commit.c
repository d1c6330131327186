/* A decided batch to Redis: its markers, the one call, and what to do with each of the call's verdicts. */
#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/nonce.h"
#include "worker_parts.h"

bool acd_batch_runs(const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->part_count; i++)
        if (batch->parts[i].partition->phase != RUNNING)
            return false;
    return batch->part_count > 0;
}

void acd_batch_refused(struct acd_worker *worker, const struct batch *batch)
{
    if (batch->part_count > 1) {
        worker->one_by_one = 2 * worker->partition_count;
        return;
    }
    acd_assign_halt(worker, batch->parts[0].partition, "Redis: %s", acd_store_error(worker->store));
}

/* The last record that was decided; a batch without any repeats the one before. */
static void mark_last(const struct part *part, struct acd_marker *marker)
{
    struct acd_marker before;
    const struct acd_record *last;

    if (part->taken) {
        last = partition_record(part->partition, part->partition->applied + part->taken - 1);
        marker->last = part->last;
        acd_fingerprint(last->key, last->value, last->timestamp_ms, marker->fingerprint);
    } else if (acd_marker_parse(part->partition->marker, &before)) {
        marker->last = before.last;
        memcpy(marker->fingerprint, before.fingerprint, sizeof(marker->fingerprint));
    }
}

static void make_markers(struct acd_worker *worker, struct batch *batch, struct acd_commit_part *parts)
{
    struct acd_marker marker;

    for (uint32_t i = 0; i < batch->part_count; i++) {
        struct part *part = &batch->parts[i];

        acd_nonce(part->nonce);
        marker = (struct acd_marker){
            .from = part->partition->next == ACD_OFFSET_BEGINNING ? part->from : part->partition->next,
            .next = part->last + 1,
            .step = part->partition->steps};
        memcpy(marker.nonce, part->nonce, sizeof(marker.nonce));
        memcpy(marker.before, part->partition->nonce, sizeof(marker.before));
        mark_last(part, &marker);
        marker.origin = acd_assign_origin(worker, part->partition->id);
        part->marker = acd_marker_format(&worker->arena, &marker);
        parts[i] = (struct acd_commit_part){part->partition->id,
                                            part->partition->marker,
                                            part->marker,
                                            acd_outbox_encode(&worker->arena, &part->messages),
                                            part->jobs,
                                            part->taken == 0,
                                            part->partition->steps};
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

/* Batches that read what they create, after there was an account that had been taken for a new one. */
#define NONE_FRESH_BATCHES 100

static void drop_stale(struct acd_worker *worker, const struct acd_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->entry_count; i++) {
        const struct acd_entry *entry = verdict->entries[i];

        acd_cache_drop(worker->cache, entry->hash, entry->app->name, entry->name);
        if (entry->fresh)
            worker->none_fresh = NONE_FRESH_BATCHES;
    }
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

bool acd_batch_commit(struct acd_worker *worker, struct batch *batch)
{
    struct acd_commit_part *parts = acd_arena_calloc(&worker->arena, batch->part_count, sizeof(*parts));
    struct acd_commit commit = {worker->incarnation, parts, batch->part_count, &batch->state,
                                batch->spending};
    struct acd_verdict verdict;

    make_markers(worker, batch, parts);
    for (;;) {
        switch (acd_store_commit(worker->store, &worker->arena, &commit, &verdict)) {
        case ACD_STORE_OK:
            acd_metric_add(ACD_METRIC_BATCHES, 1);
            worker->lists_refused = 0;
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
            worker->lists_refused += batch->items[0].command.op == ACD_LIST;
            drop_stale(worker, &verdict);
            return false;
        case ACD_STORE_BUSY:
            worker->lists_refused += batch->items[0].command.op == ACD_LIST;
            remember_busy(worker, &verdict);
            return false;
        case ACD_STORE_HALT:
            /* What is before it in its run is answered first; then it is refused once more. */
            if (!acd_batch_follows(batch))
                acd_batch_refused(worker, batch);
            return false;
        case ACD_STORE_LATER:
            if (acd_batch_follows(batch))
                return false;
            /* fall through */
        case ACD_STORE_DOWN:
            if (!acd_worker_hold(worker) || !acd_batch_runs(batch))
                return false;
        }
    }
}

/* An account that was only just created is not kept before a command looks for it: an import would drive out
 * all those that are in use. */
void acd_batch_remember(struct acd_worker *worker, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->part_count; i++) {
        const struct part *part = &batch->parts[i];
        struct partition *partition = part->partition;

        acd_assign_mark(worker, partition, part->marker, part->nonce);
        partition->next = part->last + 1;
        partition->applied += part->taken;
        partition->steps++;
    }
    for (const struct acd_entry *entry = batch->state.entries; entry; entry = entry->next) {
        if (!entry->touched || (entry->cached && entry->current == entry->base))
            continue;
        if (entry->current->exists && !entry->base->exists)
            acd_cache_drop(worker->cache, entry->hash, entry->app->name, entry->name);
        else
            acd_cache_put(worker->cache, entry->hash, entry->app->name, entry->name, entry->current);
    }
    acd_cache_trim(worker->cache);
}
