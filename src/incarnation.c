/* Whether Redis is whole, and what is done when it is not.
 *
 * The incarnation is a key in Redis and announced in Kafka. Redis may come back with an older memory, or with
 * none; then the two differ, or the key names another server than the one that answers. */
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/nonce.h"
#include "worker_parts.h"

/* The broker may forget an offset after days without a commit of it. */
#define ANNOUNCE_EVERY_MS (12LL * 3600 * 1000)
#define COMPARE_EVERY_MS  (60LL * 1000)

#define LOOK_EVERY_MS     1000

/* After a recovery that was impossible: an operator has something to mend first. */
#define RECOVER_AGAIN_MS (30LL * 1000)

static void forget_incarnation(struct acd_worker *worker)
{
    free((void *)(uintptr_t)worker->incarnation.data);
    worker->incarnation = acd_slice(NULL, 0);
}

/* Revisions are unique within one incarnation: the cache goes with it. */
static void take_incarnation(struct acd_worker *worker, struct acd_slice incarnation)
{
    worker->not_whole = 0;
    if (acd_slice_equal(worker->incarnation, incarnation))
        return;
    acd_cache_clear(worker->cache);
    acd_assign_keep(worker, &worker->incarnation, incarnation);
}

/* True when the incarnation was made in the Redis that is connected. */
static bool made_here(const struct acd_worker *worker, struct acd_slice incarnation)
{
    struct acd_slice identity = acd_slice_str(acd_store_identity(worker->store));

    return incarnation.len > identity.len && incarnation.data[identity.len] == ' ' &&
           memcmp(incarnation.data, identity.data, identity.len) == 0;
}

static bool kafka_failed(struct acd_worker *worker)
{
    acd_worker_report(worker, "Kafka: %s", acd_consumer_error(worker->consumer));
    return false;
}

static bool redis_failed(struct acd_worker *worker)
{
    acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
    return false;
}

/* ---- Recovery */

static void report_recovery(void *context, const char *text)
{
    acd_worker_report(context, "%s", text);
}

/* Nothing is decided until an operator has mended it: a wrong answer would be worse than none. */
static void halt_all(struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count; i++) {
        acd_assign_halt(worker, &worker->partitions[i], "%s", worker->recovery.error);
        worker->partitions[i].until_retry = true;
    }
}

void acd_incarnation_retry(struct acd_worker *worker)
{
    if (worker->recover_at_ms == 0 || acd_clock_ms() < worker->recover_at_ms)
        return;
    worker->recover_at_ms = 0;
    for (uint32_t i = 0; i < worker->partition_count; i++)
        if (worker->partitions[i].until_retry)
            acd_assign_unhalt(&worker->partitions[i]);
}

static void recover(struct acd_worker *worker, struct acd_slice bad)
{
    struct acd_recovery *recovery = &worker->recovery;
    enum acd_recovered result;

    if (acd_clock_ms() < worker->recover_at_ms) {
        halt_all(worker);
        return;
    }
    acd_assign_doubt(worker);
    forget_incarnation(worker);
    recovery->settings = worker->shared->settings;
    recovery->cluster = worker->shared->own.cluster;
    recovery->consumer = worker->consumer;
    recovery->store = worker->store;
    recovery->stop = &worker->shared->stop;
    recovery->report = report_recovery;
    recovery->context = worker;
    recovery->pulse = worker->pulse;
    acd_recovery_begin(recovery, worker->arena.guard);
    result = acd_recover(recovery, bad);
    acd_recovery_end(recovery);
    if (acd_consumer_epoch(worker->consumer) != worker->epoch)
        acd_assign_take(worker);
    if (result == ACD_RECOVERY_IMPOSSIBLE) {
        worker->recover_at_ms = acd_clock_ms() + RECOVER_AGAIN_MS;
        halt_all(worker);
    } else if (result == ACD_RECOVERED) {
        worker->not_whole = 0;
        acd_metric_add(ACD_METRIC_RECOVERIES, 1);
        acd_log(ACD_LOG_WARNING, "worker %s: Redis is whole again after %lld ms: %lld accounts restored",
                worker->name, (long long)recovery->took_ms, (long long)recovery->accounts);
    }
}

/* ---- The first start of all */

/* True when the group has never committed anything for any partition of the command topic. */
static bool never_committed(struct acd_worker *worker, int32_t *count, bool *answer)
{
    struct acd_committed *committed;
    int32_t *all;

    if (acd_consumer_partitions(worker->consumer, count))
        return false;
    all = acd_arena_calloc(&worker->arena, (size_t)*count, sizeof(*all));
    committed = acd_arena_calloc(&worker->arena, (size_t)*count, sizeof(*committed));
    for (int32_t i = 0; i < *count; i++)
        all[i] = i;
    if (acd_consumer_committed(worker->consumer, &worker->arena, all, (uint32_t)*count, committed))
        return false;
    *answer = true;
    for (int32_t i = 0; i < *count; i++)
        *answer = *answer && !committed[i].exists;
    return true;
}

/* A group without offsets is new, or one that Kafka has forgotten. The changelog of a new one is empty. */
static bool is_changelog_empty(struct acd_worker *worker)
{
    char error[256] = "no memory";
    struct acd_changelog *changelog = acd_changelog_open(worker->shared->settings, error, sizeof(error));
    bool empty = true;
    int64_t first;
    int64_t end;

    if (!changelog) {
        acd_worker_report(worker, "Kafka: %s", error);
        return false;
    }
    for (int32_t i = 0; i < acd_changelog_partitions(changelog); i++) {
        acd_changelog_bounds(changelog, i, &first, &end);
        empty = empty && end == 0;
    }
    acd_changelog_close(changelog);
    if (!empty)
        acd_worker_report(
            worker,
            "the group %s has committed no offset, but topic %s holds accounts: another group "
            "served them, or Kafka has forgotten this one's offsets; set them where it was, and "
            "accept them by accountctl rebuild --accept-offsets",
            worker->shared->settings->kafka.group, worker->shared->settings->kafka.changelog);
    return empty;
}

/* Nothing in Kafka, and in Redis nothing, or what another worker has just written on the same errand. Redis
 * first, so that a crash in between leaves something that the next worker can announce. */
static bool found_group(struct acd_worker *worker, int32_t partitions)
{
    struct acd_slice present;
    struct acd_slice proposal;
    struct acd_slice deployment;
    struct acd_committed announced;
    char nonce[ACD_NONCE_BYTES];

    if (!is_changelog_empty(worker))
        return false;
    acd_nonce(nonce);
    proposal = acd_arena_format(&worker->arena, "%s %s", acd_store_identity(worker->store), nonce);
    deployment = acd_deployment_format(&worker->arena, acd_slice_str(worker->shared->own.cluster),
                                       acd_slice_str(worker->shared->settings->kafka.group),
                                       acd_slice_str(worker->shared->settings->kafka.commands));
    if (acd_store_establish(worker->store, &worker->arena, proposal, partitions, deployment, &present) !=
        ACD_STORE_OK)
        return redis_failed(worker);
    /* A recovery was begun before anything was announced; or these are another deployment's accounts, which a
     * recovery finds out, and leaves alone. */
    if (!made_here(worker, present)) {
        recover(worker, present);
        return false;
    }
    /* What the first look saw is old by now: another worker may have announced this Redis since, commands may
     * have been decided on it, and it may have been emptied. Its announcement came before that, so a look
     * after it finds it.
     */
    if (acd_consumer_announced(worker->consumer, &worker->arena, &announced))
        return kafka_failed(worker);
    if (announced.exists && !acd_slice_equal(announced.metadata, present)) {
        acd_worker_report(worker, "another worker has taken a Redis into use at the same moment");
        return false;
    }
    if (acd_consumer_announce(worker->consumer, present))
        return kafka_failed(worker);
    acd_log(ACD_LOG_INFO, "worker %s: this Redis is new and is taken into use", worker->name);
    /* Another worker may have taken another Redis into use at the same moment. Looking again in a later
     * generation, all see the same announcement. */
    if (!worker->shared->embedded)
        return acd_consumer_rejoin(worker->consumer) ? kafka_failed(worker) : false;
    take_incarnation(worker, present);
    return true;
}

void acd_incarnation_recover(struct acd_worker *worker)
{
    acd_log(ACD_LOG_WARNING, "worker %s: Redis is not whole: a marker does not fit what was answered",
            worker->name);
    recover(worker, acd_arena_copy(&worker->arena, worker->incarnation));
}

/* ---- Looking */

/* True when the server is still the one whose ids were read when this worker connected. They may change
 * without a restart: a Redis takes a new replication id when its first replica comes. Workers that hold
 * different ids of one server would undo each other's recoveries for ever. */
static bool is_same_redis(struct acd_worker *worker)
{
    char before[128];

    snprintf(before, sizeof(before), "%s", acd_store_identity(worker->store));
    if (acd_store_connect(worker->store, &worker->arena) != ACD_STORE_OK)
        return redis_failed(worker);
    return strcmp(before, acd_store_identity(worker->store)) == 0;
}

bool acd_incarnation_check(struct acd_worker *worker)
{
    struct acd_committed announced;
    struct acd_slice present;
    bool never = false;
    int32_t partitions;

    if (acd_consumer_announced(worker->consumer, &worker->arena, &announced))
        return kafka_failed(worker);
    if (acd_store_incarnation(worker->store, &worker->arena, &present) != ACD_STORE_OK)
        return redis_failed(worker);
    if (announced.exists && acd_slice_equal(announced.metadata, present) && made_here(worker, present)) {
        take_incarnation(worker, present);
        return true;
    }
    if (!announced.exists && (!present.data || made_here(worker, present))) {
        if (!never_committed(worker, &partitions, &never))
            return kafka_failed(worker);
        if (never)
            return found_group(worker, partitions);
    }
    if (!is_same_redis(worker))
        return false;
    /* What was announced was read first: a recovery that ended in between looks like a difference once. */
    if (++worker->not_whole == 1) {
        acd_worker_report(worker, "Redis does not look whole: %s",
                          !present.data ? "its incarnation key is not there (a flush, an empty Redis, or a "
                                          "recovery that is under way)"
                          : !made_here(worker, present) ? "it was restarted or replaced since the last batch"
                          : !announced.exists           ? "Kafka does not know its incarnation any more"
                                                        : "Kafka knows another incarnation");
        return false;
    }
    recover(worker, present);
    return false;
}

void acd_incarnation_look(struct acd_worker *worker)
{
    struct acd_slice present;

    if (!worker->incarnation.len || acd_clock_ms() < worker->look_at_ms)
        return;
    worker->look_at_ms = acd_clock_ms() + LOOK_EVERY_MS;
    if (acd_store_incarnation(worker->store, &worker->arena, &present) == ACD_STORE_OK &&
        !acd_slice_equal(worker->incarnation, present))
        acd_assign_doubt(worker);
}

/* Compares what is announced, and announces it once more when it is time. -1: Kafka does not answer. */
static int compare_announced(struct acd_worker *worker)
{
    struct acd_committed announced;

    if (acd_consumer_announced(worker->consumer, &worker->arena, &announced))
        return -1;
    /* A commit that was late may have written an old one over it: then some dead Redis would pass for whole.
     */
    if (!announced.exists || !acd_slice_equal(announced.metadata, worker->incarnation)) {
        acd_assign_doubt(worker);
        return 0;
    }
    if (acd_clock_ms() < worker->announce_at_ms)
        return 0;
    worker->announce_at_ms = acd_clock_ms() + ANNOUNCE_EVERY_MS;
    return acd_consumer_announce(worker->consumer, worker->incarnation);
}

void acd_incarnation_announce(struct acd_worker *worker)
{
    bool first = worker->partition_count > 0 && worker->partitions[0].id == 0;

    if (!first || !worker->incarnation.len || acd_clock_ms() < worker->compare_at_ms)
        return;
    worker->compare_at_ms = acd_clock_ms() + COMPARE_EVERY_MS;
    acd_pulse_beat(worker->pulse, ACD_PULSE_TALK_MS);
    if (compare_announced(worker)) {
        acd_log(ACD_LOG_WARNING, "worker %s: %s", worker->name, acd_consumer_error(worker->consumer));
        worker->announce_at_ms = 0;
    }
}
