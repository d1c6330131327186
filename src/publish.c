/* A committed batch to Kafka: one transaction with offsets, replies and changelog records. */
#include <stdio.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "worker_parts.h"

/* How often one transaction is tried before the partitions are looked at anew, and for how long: a worker
 * must poll again within max.poll.interval.ms. */
#define PUBLISH_TRIES       5
#define PUBLISH_DEADLINE_MS 30000

/* After so many tries every reply goes to the default topic: which of the others is at fault does not always
 * show. */
#define TRIES_TO_FIND_FAULT 2

void acd_batch_note(struct acd_worker *worker)
{
    int32_t *ids = acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*ids));
    struct acd_slice *markers = acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*markers));
    bool lost = acd_store_note_lost(worker->store, worker->queued == 0);
    uint32_t count = 0;

    for (uint32_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];

        if (partition->phase == UNRESOLVED || partition->steps > 0 || (partition->noted && !lost) ||
            !partition->marker.len)
            continue;
        ids[count] = partition->id;
        markers[count++] = partition->marker;
    }
    if (count == 0)
        return;
    acd_store_note(worker->store, &worker->arena, ids, markers, count);
    for (uint32_t i = 0; i < worker->partition_count; i++)
        worker->partitions[i].noted |= worker->partitions[i].phase != UNRESOLVED;
}

/* A part is answered, and with it all that its partition has applied. */
static void advance(struct acd_worker *worker, const struct part *part)
{
    struct partition *partition = part->partition;
    uint32_t records = partition->applied;

    partition->changelog_end =
        acd_producer_changelog_end(worker->producer, partition->id) > partition->changelog_end
            ? acd_producer_changelog_end(worker->producer, partition->id)
            : partition->changelog_end;
    if (part->jobs.data)
        acd_jobs_keep(worker, partition, part->jobs);
    partition->noted = false;
    partition->steps = 0;
    partition->set_aside &= records == 0;
    partition->careful -= partition->careful < records ? partition->careful : records;
    partition->proven |= records > 0 && partition->careful == 0;
    acd_worker_release(worker, partition, records);
}

/* All messages of a run in one list. */
static struct acd_outgoing_list flatten(struct acd_worker *worker, const struct batch *run, uint32_t count)
{
    struct acd_outgoing_list all = {0};
    uint32_t messages = 0;

    for (uint32_t b = 0; b < count; b++)
        for (uint32_t i = 0; i < run[b].part_count; i++)
            messages += run[b].parts[i].messages.count;
    acd_outgoing_reserve(&worker->arena, &all, messages);
    for (uint32_t b = 0; b < count; b++)
        for (uint32_t i = 0; i < run[b].part_count; i++)
            acd_outgoing_join(&worker->arena, &all, &run[b].parts[i].messages);
    return all;
}

/* How far a batch's partitions are with it, and the tokens. */
static struct acd_offset *offsets_of(struct acd_worker *worker, const struct batch *batch)
{
    struct acd_offset *offsets = acd_arena_calloc(&worker->arena, batch->part_count, sizeof(*offsets));
    struct acd_token token;

    for (uint32_t i = 0; i < batch->part_count; i++) {
        const struct part *part = &batch->parts[i];

        memcpy(token.nonce, part->nonce, sizeof(token.nonce));
        token.changelog_end = part->partition->changelog_end;
        if (batch->floor_ms > part->partition->floor_ms)
            part->partition->floor_ms = batch->floor_ms;
        token.floor_ms = part->partition->floor_ms;
        offsets[i] = (struct acd_offset){part->partition->id, part->last + 1,
                                         acd_token_format(&worker->arena, &token)};
    }
    return offsets;
}

static bool is_own_topic(const struct acd_settings *settings, struct acd_slice topic)
{
    return acd_slice_is(topic, settings->kafka.replies) || acd_slice_is(topic, settings->kafka.changelog) ||
           acd_slice_is(topic, settings->kafka.exports) || acd_slice_is(topic, settings->kafka.dead_letters);
}

/* A reply topic that a command named may have gone since it was looked up, or refuse what it is sent: then
 * the reply goes to the default one, and the line goes on. */
static void reroute(struct acd_worker *worker, struct acd_outgoing_list *messages, bool all)
{
    const struct acd_shared *shared = worker->shared;

    for (uint32_t i = 0; i < messages->count; i++) {
        struct acd_outgoing *message = &messages->items[i];
        const struct acd_log_field topic = acd_log_text("topic", message->topic);

        if (is_own_topic(shared->settings, message->topic) ||
            (!all && !acd_slice_is(message->topic, worker->blamed) &&
             message->partition < acd_topics_partitions(shared->topics, message->topic)))
            continue;
        acd_log_fields(ACD_LOG_WARNING, &topic, 1, "reply topic %.*s cannot be used: the reply goes to %s",
                       ACD_SLICE_ARGS(message->topic), shared->settings->kafka.replies);
        acd_metric_add(ACD_METRIC_REPLIES_REROUTED, 1);
        message->topic = acd_slice_str(shared->settings->kafka.replies);
        message->partition %= shared->own.replies;
    }
}

bool acd_publish(struct acd_worker *worker, const struct acd_offset *offsets, uint32_t count,
                 struct acd_outgoing_list *messages, bool looked_up)
{
    enum acd_publish result = ACD_PUBLISH_AGAIN;
    int64_t deadline = acd_clock_ms() + PUBLISH_DEADLINE_MS;

    for (int tries = 0; result == ACD_PUBLISH_AGAIN && tries < PUBLISH_TRIES && acd_clock_ms() < deadline;
         tries++) {
        acd_pulse_beat(worker->pulse, ACD_PULSE_TALK_MS);
        if (tries > 0 || !looked_up)
            reroute(worker, messages, tries >= TRIES_TO_FIND_FAULT);
        result = acd_producer_publish(worker->producer, acd_consumer_group(worker->consumer), offsets, count,
                                      messages->items, messages->count);
        snprintf(worker->blamed, sizeof(worker->blamed), "%s", acd_producer_blamed(worker->producer));
    }
    if (result == ACD_PUBLISHED) {
        acd_metric_add(ACD_METRIC_TRANSACTIONS_COMMITTED, 1);
        /* The embedded broker takes the offsets of a transaction and forgets them: here they are once more.
         */
        if (worker->shared->embedded && acd_consumer_commit(worker->consumer, offsets, count))
            acd_log(ACD_LOG_WARNING, "worker %s: %s", worker->name, acd_consumer_error(worker->consumer));
        return true;
    }
    acd_metric_add(ACD_METRIC_TRANSACTIONS_FAILED, 1);
    acd_worker_report(worker, "Kafka: transaction: %s", acd_producer_error(worker->producer));
    if (result == ACD_PUBLISH_LOST) {
        acd_producer_close(worker->producer);
        worker->producer = NULL;
    }
    return false;
}

void acd_batch_publish(struct acd_worker *worker, struct batch *run, uint32_t count)
{
    struct batch *last = &run[count - 1];
    struct acd_outgoing_list messages = flatten(worker, run, count);

    if (!acd_publish(worker, offsets_of(worker, last), last->part_count, &messages, true)) {
        acd_assign_doubt(worker);
        return;
    }
    acd_observe_stage(last, ACD_METRIC_STAGE_PUBLISH);
    for (uint32_t i = 0; i < count; i++)
        acd_observe_answered(&run[i]);
    for (uint32_t i = 0; i < last->part_count; i++)
        advance(worker, &last->parts[i]);
}
