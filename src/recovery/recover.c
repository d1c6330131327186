/* Recovery: the steps and their order. The restoring itself is in restore.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/nonce.h"
#include "accountd/pending.h"
#include "accountd/recovery.h"

#define RETRY_MS  100
#define REPORT_MS 1000

/* ---- What all steps need */

void acd_recovery_report(struct acd_recovery *recovery, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    recovery->report(recovery->context, text);
    recovery->reported_ms = acd_clock_ms();
}

enum acd_recovered acd_recovery_impossible(struct acd_recovery *recovery, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(recovery->error, sizeof(recovery->error), format, args);
    va_end(args);
    return ACD_RECOVERY_IMPOSSIBLE;
}

enum acd_recovered acd_recovery_failed(struct acd_recovery *recovery, enum acd_store result)
{
    if (result != ACD_STORE_FENCED && result != ACD_STORE_BUSY)
        acd_recovery_report(recovery, "restoring: Redis: %s", acd_store_error(recovery->store));
    return ACD_RECOVERY_AGAIN;
}

bool acd_recovery_wait(struct acd_recovery *recovery, int timeout_ms)
{
    struct acd_record record;

    if (recovery->pulse)
        acd_pulse_beat(recovery->pulse, ACD_PULSE_TALK_MS);
    /* Nothing is fetched between a barrier and the first assignment that is taken over; what an assignment
     * before brought in is dropped, as always. */
    if (acd_consumer_poll(recovery->consumer, timeout_ms, &record) == ACD_POLL_RECORD)
        acd_record_release(&record);
    return !atomic_load(recovery->stop);
}

bool acd_recovery_again(struct acd_recovery *recovery, enum acd_store result)
{
    char before[128];

    if (result != ACD_STORE_DOWN && result != ACD_STORE_LATER)
        return false;
    snprintf(before, sizeof(before), "%s", acd_store_identity(recovery->store));
    do {
        acd_recovery_report(recovery, "restoring: Redis: %s", acd_store_error(recovery->store));
        if (!acd_recovery_wait(recovery, RETRY_MS))
            return false;
        if (acd_store_connected(recovery->store))
            return true;
        result = acd_store_connect(recovery->store, &recovery->arena);
    } while (result == ACD_STORE_DOWN || result == ACD_STORE_LATER);
    return result == ACD_STORE_OK && strcmp(before, acd_store_identity(recovery->store)) == 0;
}

static enum acd_recovered kafka_failed(struct acd_recovery *recovery)
{
    acd_recovery_report(recovery, "restoring: Kafka: %s", acd_consumer_error(recovery->consumer));
    acd_recovery_wait(recovery, RETRY_MS);
    return ACD_RECOVERY_AGAIN;
}

/* Lets the others know that this recovery is under way. */
bool acd_recovery_extend(struct acd_recovery *recovery)
{
    enum acd_store result;

    do
        result = acd_store_forget(recovery->store, &recovery->arena, recovery->token, NULL, 0);
    while (acd_recovery_again(recovery, result));
    return result == ACD_STORE_OK;
}

/* ---- The steps */

static enum acd_recovered take(struct acd_recovery *recovery, struct acd_slice bad)
{
    enum acd_store result;

    char before[ACD_NONCE_BYTES];
    const struct acd_settings *settings = recovery->settings;
    struct acd_slice deployment =
        acd_deployment_format(&recovery->arena, acd_slice_str(recovery->cluster),
                              acd_slice_str(settings->kafka.group), acd_slice_str(settings->kafka.commands));

    memcpy(before, recovery->token, sizeof(before));
    acd_nonce(recovery->token);
    recovery->incarnation =
        acd_arena_format(&recovery->arena, "%s %s", acd_store_identity(recovery->store), recovery->token);
    do
        result = acd_store_take(recovery->store, &recovery->arena, bad, recovery->token, before, deployment);
    while (acd_recovery_again(recovery, result));
    if (result == ACD_STORE_OK)
        return ACD_RECOVERED;
    if (result == ACD_STORE_HALT)
        return acd_recovery_impossible(recovery, "Redis cannot be restored: %s",
                                       acd_store_error(recovery->store));
    if (result == ACD_STORE_BUSY)
        acd_recovery_report(recovery, "another worker is restoring Redis");
    return acd_recovery_failed(recovery, result);
}

static enum acd_recovered barrier(struct acd_recovery *recovery)
{
    int64_t extend_at = 0;

    if (acd_consumer_rejoin(recovery->consumer))
        return kafka_failed(recovery);
    while (!acd_consumer_group(recovery->consumer)) {
        if (!acd_recovery_wait(recovery, RETRY_MS))
            return ACD_RECOVERY_AGAIN;
        if (acd_clock_ms() < extend_at)
            continue;
        if (!acd_recovery_extend(recovery))
            return ACD_RECOVERY_AGAIN;
        extend_at = acd_clock_ms() + ACD_LEASE_MS / 4;
    }
    return acd_recovery_extend(recovery) ? ACD_RECOVERED : ACD_RECOVERY_AGAIN;
}

/* What one look at all partitions found. */
struct look {
    int32_t count;
    int32_t *ids;
    struct acd_committed *committed;
    struct acd_slice *markers;
    bool lost; /* a partition's marker does not fit */
};

/* An offset that somebody else has set becomes ours: the next look will find no marker that fits it. */
static int accept_offset(struct acd_recovery *recovery, int32_t partition, struct acd_committed *committed)
{
    struct acd_token token = {.changelog_end = 0};
    struct acd_offset offset = {.partition = partition, .next = committed->offset};

    acd_nonce(token.nonce);
    offset.token = acd_token_format(&recovery->arena, &token);
    if (acd_consumer_commit(recovery->consumer, &offset, 1))
        return -1;
    committed->metadata = offset.token;
    acd_log(ACD_LOG_WARNING, "partition %d: offset %lld is accepted", partition, (long long)offset.next);
    return 0;
}

/* Offsets first, markers second, as at every assignment. */
static enum acd_recovered read_offsets(struct acd_recovery *recovery, struct look *look)
{
    struct acd_committed announced;
    struct acd_token token;

    if (acd_consumer_partitions(recovery->consumer, &look->count))
        return kafka_failed(recovery);
    look->ids = acd_arena_calloc(&recovery->arena, (size_t)look->count, sizeof(*look->ids));
    look->committed = acd_arena_calloc(&recovery->arena, (size_t)look->count, sizeof(*look->committed));
    look->markers = acd_arena_calloc(&recovery->arena, (size_t)look->count, sizeof(*look->markers));
    for (int32_t i = 0; i < look->count; i++)
        look->ids[i] = i;
    /* Each of these questions may take long. */
    if (acd_consumer_committed(recovery->consumer, &recovery->arena, look->ids, (uint32_t)look->count,
                               look->committed))
        return kafka_failed(recovery);
    if (!acd_recovery_extend(recovery))
        return ACD_RECOVERY_AGAIN;
    if (acd_consumer_announced(recovery->consumer, &recovery->arena, &announced))
        return kafka_failed(recovery);
    if (!announced.exists || !acd_slice_equal(announced.metadata, recovery->incarnation))
        return ACD_RECOVERY_AGAIN;
    for (int32_t i = 0; i < look->count && recovery->accept_offsets; i++)
        if (look->committed[i].exists && !acd_token_parse(look->committed[i].metadata, &token) &&
            accept_offset(recovery, i, &look->committed[i]))
            return kafka_failed(recovery);
    return ACD_RECOVERED;
}

/* A partition whose offset was set by somebody else, or forgotten by Kafka, is halted at its assignment; it
 * is no reason to restore. */
static enum acd_recovered judge(struct acd_recovery *recovery, struct look *look, int32_t id)
{
    const struct acd_settings *settings = recovery->settings;
    struct acd_slice text = look->markers[id];
    struct acd_slice origin =
        acd_origin_format(&recovery->arena, acd_slice_str(recovery->cluster),
                          acd_slice_str(settings->kafka.group), acd_slice_str(settings->kafka.commands), id);
    struct acd_marker marker;
    struct acd_pending pending;
    enum acd_store result;

    if (text.data && (!acd_marker_parse(text, &marker) || !acd_slice_equal(marker.origin, origin)))
        return acd_recovery_impossible(recovery,
                                       "Redis holds another deployment's data: partition %d has %.*s", id,
                                       ACD_SLICE_ARGS(text));
    do
        result = acd_pending_read(recovery->store, &recovery->arena, id, &look->committed[id], text,
                                  text.data ? &marker : NULL, &pending);
    while (acd_recovery_again(recovery, result));
    if (result != ACD_STORE_OK)
        return acd_recovery_failed(recovery, result);
    look->lost |= pending.standing == ACD_STANDING_LOST && look->committed[id].exists;
    /* Applied, and what to answer is gone: decided again after a restore. */
    look->lost |= pending.standing == ACD_STANDING_PENDING && pending.count == 0;
    return ACD_RECOVERED;
}

static enum acd_recovered read_markers(struct acd_recovery *recovery, struct look *look)
{
    enum acd_recovered step = ACD_RECOVERED;
    enum acd_store result;

    do
        result = acd_store_markers(recovery->store, &recovery->arena, look->ids, (uint32_t)look->count,
                                   look->markers);
    while (acd_recovery_again(recovery, result));
    if (result != ACD_STORE_OK)
        return acd_recovery_failed(recovery, result);
    for (int32_t i = 0; i < look->count && step == ACD_RECOVERED; i++)
        step = judge(recovery, look, i);
    return step;
}

/* Where a partition goes on whose offset Kafka does not know: -1 for at the beginning, because nothing of it
 * was answered yet; else a marker that fits nothing keeps it from that, and says where it was. */
static int64_t forgotten_at(const struct acd_recovery *recovery, struct acd_slice text, int32_t id)
{
    struct acd_marker old;
    bool known = text.data && acd_marker_parse(text, &old);
    bool seen = id < acd_changelog_partitions(recovery->changelog) && recovery->seen[id] > 0;

    if (!seen && (!known || strcmp(old.before, ACD_NO_NONCE) == 0))
        return -1;
    return known ? old.next : 0;
}

/* The marker of a partition after a restore: the batch that was answered last is the one that was applied
 * last. */
static struct acd_slice marker_after(struct acd_recovery *recovery, const struct look *look, int32_t id)
{
    const struct acd_settings *settings = recovery->settings;
    const struct acd_committed *committed = &look->committed[id];
    struct acd_marker marker = {.last = -1, .fingerprint = ACD_NO_NONCE};
    struct acd_token token;

    if (committed->exists) {
        marker.next = committed->offset;
        if (!acd_token_parse(committed->metadata, &token))
            return acd_slice(NULL, 0);
    } else {
        marker.next = forgotten_at(recovery, look->markers[id], id);
        acd_nonce(token.nonce);
        if (marker.next < 0)
            return acd_slice(NULL, 0);
    }
    marker.from = marker.next;
    memcpy(marker.nonce, token.nonce, sizeof(marker.nonce));
    memcpy(marker.before, token.nonce, sizeof(marker.before));
    marker.origin =
        acd_origin_format(&recovery->arena, acd_slice_str(recovery->cluster),
                          acd_slice_str(settings->kafka.group), acd_slice_str(settings->kafka.commands), id);
    return acd_marker_format(&recovery->arena, &marker);
}

/* What Redis remembered of signed commands is gone; older ones than any partition still took do not count. */
static int64_t floor_after(const struct look *look, uint32_t count)
{
    struct acd_token token;
    int64_t floor_ms = 0;

    for (uint32_t i = 0; i < count; i++)
        if (look->committed[i].exists && acd_token_parse(look->committed[i].metadata, &token) &&
            token.floor_ms > floor_ms)
            floor_ms = token.floor_ms;
    return floor_ms;
}

static enum acd_recovered finish(struct acd_recovery *recovery, const struct look *look)
{
    uint32_t count = recovery->restored ? (uint32_t)look->count : 0;
    struct acd_slice *jobs = acd_arena_calloc(&recovery->arena, count, sizeof(*jobs));
    enum acd_store result;

    for (uint32_t i = 0; i < count; i++) {
        look->markers[i] = marker_after(recovery, look, (int32_t)i);
        jobs[i] = acd_slice("", 0);
        if ((int32_t)i < acd_changelog_partitions(recovery->changelog))
            jobs[i] = acd_jobs_encode(&recovery->arena, &recovery->jobs[i]);
    }
    do
        result = acd_store_finish(recovery->store, &recovery->arena, recovery->token, recovery->incarnation,
                                  floor_after(look, count), look->ids, look->markers, jobs, count);
    while (acd_recovery_again(recovery, result));
    return result == ACD_STORE_OK ? ACD_RECOVERED : acd_recovery_failed(recovery, result);
}

static enum acd_recovered run(struct acd_recovery *recovery, struct acd_slice bad)
{
    struct look look = {0};
    enum acd_recovered step = take(recovery, bad);

    if (step != ACD_RECOVERED)
        return step;
    acd_recovery_report(recovery, "looking at what Redis has lost");
    if (acd_consumer_announce(recovery->consumer, recovery->incarnation))
        return kafka_failed(recovery);
    step = barrier(recovery);
    if (step == ACD_RECOVERED)
        step = read_offsets(recovery, &look);
    if (step == ACD_RECOVERED)
        step = read_markers(recovery, &look);
    if (step == ACD_RECOVERED && (look.lost || recovery->always)) {
        recovery->restored = true;
        step = acd_recovery_restore(recovery, look.committed, look.count);
    }
    return step == ACD_RECOVERED ? finish(recovery, &look) : step;
}

/* ---- Begin, attempt, end */

void acd_recovery_begin(struct acd_recovery *recovery, jmp_buf *no_memory)
{
    acd_recovery_end(recovery);
    acd_arena_init(&recovery->arena);
    acd_arena_init(&recovery->names);
    recovery->arena.guard = no_memory;
    recovery->names.guard = no_memory;
    for (size_t i = 0; i < ACD_LOADS; i++) {
        acd_arena_init(&recovery->loads[i].arena);
        recovery->loads[i].arena.guard = no_memory;
    }
    recovery->error[0] = '\0';
    recovery->restored = false;
    recovery->accounts = 0;
    recovery->spoilt = NULL;
    recovery->spoilt_count = 0;
}

enum acd_recovered acd_recover(struct acd_recovery *recovery, struct acd_slice bad)
{
    int64_t began_ms = acd_clock_ms();
    enum acd_recovered result = run(recovery, bad);

    recovery->took_ms = acd_clock_ms() - began_ms;
    return result;
}

void acd_recovery_end(struct acd_recovery *recovery)
{
    for (size_t i = 0; i < ACD_LOADS; i++) {
        struct acd_load *load = &recovery->loads[i];

        while (load->record_count > 0)
            acd_record_release(&load->records[--load->record_count]);
        load->account_count = 0;
        load->under_way = false;
        /* An answer that nobody reads would be taken for another call's. */
        if (load->sent)
            acd_store_disconnect(recovery->store);
        load->sent = false;
        acd_arena_free(&load->arena);
    }
    acd_changelog_close(recovery->changelog);
    recovery->changelog = NULL;
    acd_arena_free(&recovery->names);
    acd_arena_free(&recovery->arena);
}
