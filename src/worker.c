/* The worker's loop, the only place that sees both sides: poll, take a batch, load, decide, commit to Redis,
 * publish to Kafka. What a crash between any two steps leaves behind is found and mended at the next
 * assignment (assign.c). */
#include "accountd/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/nonce.h"
#include "worker_parts.h"

/* How long a poll waits when there is nothing to do; a signal to stop is seen after it. */
#define IDLE_POLL_MS 100

/* … and for an export that is under way to be noticed as complete. */
#define EXPORT_POLL_MS 10

/* Polls of one turn: more than a turn that decides can need. */
#define POLLS_MAX 20000

/* Records that wait in a worker, in full batches: when one was answered, there are more of each partition
 * than one run takes, and librdkafka fetches into the place of those that were taken meanwhile. */
#define QUEUED_BATCHES 4

/* Between tries to reach a server that is away. */
#define RETRY_MS 200

/* ---- What probes are told */

static void report(struct acd_worker *worker, bool ready, const char *reason)
{
    bool news;
    bool was_ready;

    pthread_mutex_lock(&worker->lock);
    was_ready = worker->ready;
    news = worker->ready != ready || strcmp(worker->reason, reason) != 0;
    worker->ready = ready;
    snprintf(worker->reason, sizeof(worker->reason), "%s", reason);
    pthread_mutex_unlock(&worker->lock);
    acd_metric_add(ACD_METRIC_WORKERS_READY, (int)ready - (int)was_ready);
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

/* Reads what is there, and waits only when there is nothing to decide. An assignment that changes comes in
 * line with the records: those that no partition takes now are read past, or it would not be heard of. */
static bool gather(struct acd_worker *worker)
{
    uint32_t batch_max = (uint32_t)worker->rules->settings->worker.batch_max;
    int64_t wait_ms = worker->queued ? 0 : worker->exports ? EXPORT_POLL_MS : IDLE_POLL_MS;
    uint32_t polls = 0;
    enum polled polled;

    if (worker->queued && worker->busy_count)
        wait_ms = BUSY_PAUSE_MS;
    do {
        polled = acd_worker_poll(worker, (int)wait_ms);
        wait_ms = 0;
    } while (polled == POLLED_RECORD && ++polls < POLLS_MAX && worker->queued < QUEUED_BATCHES * batch_max &&
             worker->queued_bytes < QUEUE_BYTES_MAX);
    return polled != POLLED_OVER;
}

/* ---- Redis */

/* Connects to Redis if need be. False when that is not possible now, or when it is another Redis than before.
 */
static bool have_redis(struct acd_worker *worker)
{
    char before[128];
    bool first = acd_store_identity(worker->store)[0] == '\0';

    if (acd_store_connected(worker->store))
        return true;
    snprintf(before, sizeof(before), "%s", acd_store_identity(worker->store));
    if (acd_store_connect(worker->store, &worker->arena) != ACD_STORE_OK) {
        acd_metric_add(ACD_METRIC_REDIS_FAILURES, 1);
        acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
        return false;
    }
    acd_metric_add(ACD_METRIC_REDIS_CONNECTS, 1);
    /* Another identity means another memory: nothing that was decided on the old one may go over this
     * connection. */
    if (!first && strcmp(before, acd_store_identity(worker->store)) != 0) {
        acd_log(ACD_LOG_WARNING, "worker %s: Redis was restarted or replaced", worker->name);
        acd_assign_doubt(worker);
        return false;
    }
    return true;
}

bool acd_worker_hold(struct acd_worker *worker)
{
    int64_t retry_at = acd_clock_ms() + RETRY_MS;
    enum polled polled = POLLED_NOTHING;

    acd_metric_add(ACD_METRIC_REDIS_FAILURES, 1);
    acd_worker_report(worker, "Redis: %s", acd_store_error(worker->store));
    acd_consumer_pause(worker->consumer, true);
    while (polled != POLLED_OVER && acd_clock_ms() < retry_at) {
        acd_pulse_beat(worker->pulse, ACD_PULSE_WORK_MS);
        acd_observe_worker(worker);
        polled = acd_worker_poll(worker, (int)(retry_at - acd_clock_ms()));
    }
    acd_consumer_pause(worker->consumer, false);
    if (polled != POLLED_OVER && !acd_store_connected(worker->store))
        have_redis(worker);
    /* A doubt that came up on the way shows in the phases; the caller's parts see it. */
    return polled != POLLED_OVER;
}

/* ---- One batch */

/* The next partition whose records are taken one by one, or NULL. Every other batch is for the rest, which
 * must not wait for it. */
static struct partition *next_careful(const struct acd_worker *worker)
{
    for (uint32_t i = 0; i < worker->partition_count && worker->turn % 2 == 0; i++) {
        struct partition *partition = &worker->partitions[i];

        if (partition->phase == RUNNING && partition->queued && partition->careful)
            return partition;
    }
    return NULL;
}

/* The next partition that has a run, or NULL: every other turn is for those that have less, if there are any.
 */
static struct partition *next_run(struct acd_worker *worker)
{
    uint32_t found = worker->partition_count;
    bool others = false;

    for (uint32_t i = 1; i <= worker->partition_count; i++) {
        uint32_t at = (worker->ran + i) % worker->partition_count;

        if (!acd_batch_has_run(worker, &worker->partitions[at]))
            others |= acd_batch_takes(worker, &worker->partitions[at]);
        else if (found == worker->partition_count)
            found = at;
    }
    if (found == worker->partition_count || (others && worker->turn % 2 == 0))
        return NULL;
    worker->ran = found;
    return &worker->partitions[found];
}

/* One attempt to get past the partition's next record, looked up or counted. A record is counted once by a
 * process, however often its batch is put off. */
static bool ask_attempts(struct acd_worker *worker, struct partition *partition, bool count)
{
    int64_t offset = partition_record(partition, 0)->offset;
    int64_t before;

    if (count ? partition->counted == offset : partition->looked_up)
        return true;
    if (acd_store_attempts(worker->store, &worker->arena, partition->id, offset, worker->token,
                           count ? ACD_ATTEMPTS_COUNT : ACD_ATTEMPTS_LOOK, &before) != ACD_STORE_OK)
        return false;
    partition->looked_up = true;
    if (count) {
        partition->counted = offset;
        partition->set_aside = before >= ATTEMPTS_MAX;
    } else if (before > 0) {
        partition->careful = worker->rules->settings->worker.batch_max;
    }
    return true;
}

static bool ask_all(struct acd_worker *worker, bool count)
{
    for (uint32_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];
        bool concerned =
            count ? acd_batch_takes(worker, partition) : partition->phase == RUNNING && partition->queued > 0;

        if (concerned && !partition->proven && !ask_attempts(worker, partition, count))
            return false;
    }
    return true;
}

/* Until a partition got a batch through, the attempts to get past its next record are counted: a record that
 * ended the process again and again is set aside. Where there was one before, records are taken one by one,
 * and from this partition alone, so that no other record is blamed. False when Redis could not be asked. */
static bool choose_partitions(struct acd_worker *worker)
{
    if (!ask_all(worker, false))
        return false;
    worker->turn++;
    worker->alone = next_careful(worker);
    if (!worker->alone)
        worker->alone = next_run(worker);
    return ask_all(worker, true);
}

/* Reads what the batch needs, and waits for Redis. One that follows others leaves that to the next turn. */
static bool load(struct acd_worker *worker, struct batch *batch)
{
    enum acd_store loaded;

    while ((loaded = acd_batch_load(worker, batch)) != ACD_STORE_OK) {
        if (acd_batch_follows(batch))
            return false;
        if (loaded == ACD_STORE_HALT)
            acd_batch_refused(worker, batch);
        if (loaded == ACD_STORE_HALT || loaded == ACD_STORE_STALE || !acd_worker_hold(worker) ||
            !acd_batch_runs(batch))
            return false;
    }
    return true;
}

/* Takes a batch and applies it. False when there is nothing to answer. */
static bool apply(struct acd_worker *worker, struct batch *batch)
{
    acd_batch_take(worker, batch);
    if (batch->item_count == 0)
        return false;
    acd_observe_stage(batch, ACD_METRIC_STAGE_TAKE);
    if (!load(worker, batch))
        return false;
    acd_observe_stage(batch, ACD_METRIC_STAGE_LOAD);
    acd_batch_decide(worker, batch);
    acd_observe_stage(batch, ACD_METRIC_STAGE_DECIDE);
    if (batch->part_count == 0 || !acd_batch_commit(worker, batch))
        return false;
    acd_observe_stage(batch, ACD_METRIC_STAGE_COMMIT);
    acd_batch_remember(worker, batch);
    return true;
}

/* A transaction costs the broker much, whatever is in it: of a partition that has more records than one batch
 * takes, several are applied before they are answered. Of one partition only, or an account that two of them
 * touch would be answered by two owners after a rebalance. */
static bool goes_on(const struct acd_worker *worker, const struct batch *run, uint32_t count)
{
    const struct batch *last = &run[count - 1];
    const struct part *part = &last->parts[0];
    const struct partition *partition = part->partition;
    bool only_new = true;

    for (uint32_t i = 0; i < count; i++)
        only_new &= run[i].only_new;
    return count < ACD_RUN_MAX && last->part_count == 1 && !part->jobs.data &&
           acd_batch_may_run(worker, partition) && partition->queued > partition->applied &&
           acd_batch_has_room(worker, partition, only_new) && worker->arena.allocated <= BATCH_MEMORY_MAX;
}

/* One batch, or a run of them, from records to answers. */
static void run_batches(struct acd_worker *worker)
{
    struct batch run[ACD_RUN_MAX];
    uint32_t count = 1;

    if (!choose_partitions(worker)) {
        acd_worker_hold(worker);
        return;
    }
    if (!apply(worker, &run[0]))
        return;
    worker->alone = run[0].parts[0].partition;
    while (goes_on(worker, run, count) && apply(worker, &run[count]))
        count++;
    /* What went wrong with one more batch may have been that the partitions are no longer this worker's. */
    if (acd_batch_runs(&run[0]) && acd_consumer_epoch(worker->consumer) == worker->epoch)
        acd_batch_publish(worker, run, count);
    acd_batch_note(worker);
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
    acd_pulse_beat(worker->pulse, ACD_PULSE_TALK_MS);
    worker->producer = acd_producer_open(worker->shared->settings, worker->name, error, sizeof(error));
    if (!worker->producer)
        acd_worker_report(worker, "Kafka: producer: %s", error);
    return worker->producer != NULL;
}

/* One turn: everything it allocates is the arena's, and is gone after it. One turn, one set of rules. */
static void turn(struct acd_worker *worker)
{
    worker->rules = acd_rulebook_take(&worker->shared->rules, worker->rules);
    if (!gather(worker)) {
        if (acd_consumer_epoch(worker->consumer) != worker->epoch)
            acd_assign_take(worker);
        return;
    }
    /* Before the group: whoever has the partitions meanwhile may be waiting for the end of the transaction
     * that this worker's life before left open, and the group for them. */
    if (!have_producer(worker)) {
        acd_clock_sleep_ms(RETRY_MS);
        return;
    }
    if (!worker->joined) {
        const char *trouble = acd_consumer_trouble(worker->consumer);

        acd_worker_report(worker, "waiting for the consumer group%s%s", trouble[0] ? ": " : "", trouble);
        return;
    }
    if (!have_redis(worker)) {
        acd_clock_sleep_ms(RETRY_MS);
        return;
    }
    acd_incarnation_retry(worker);
    if (any_phase(worker, UNRESOLVED)) {
        acd_pulse_beat(worker->pulse, ACD_PULSE_TALK_MS);
        acd_assign_resolve(worker);
        acd_pulse_beat(worker->pulse, ACD_PULSE_WORK_MS);
    }
    /* A recovery has left the group, and is not back yet; or what was pending has cost the producer, while
     * other partitions have records. */
    if (!worker->joined || !worker->producer)
        return;
    if (any_phase(worker, UNRESOLVED) || any_phase(worker, HALTED))
        ; /* reported where it was found */
    else
        report(worker, true, "");
    if (worker->busy_count && acd_clock_ms() >= worker->busy_until_ms)
        worker->busy_count = 0;
    /* Also when there is nothing to do here: other workers may be waiting for it. */
    acd_batch_note(worker);
    acd_incarnation_look(worker);
    acd_incarnation_announce(worker);
    acd_pulse_beat(worker->pulse, ACD_PULSE_WORK_MS);
    acd_jobs_look(worker);
    if (worker->queued)
        run_batches(worker);
}

static void *run(void *context)
{
    struct acd_worker *worker = context;
    jmp_buf no_memory;

    pthread_setname_np(pthread_self(), "worker");
    if (setjmp(no_memory)) {
        /* From wherever that came: what a batch has written by then is found as after a crash. */
        acd_worker_report(worker, "no memory; the batch is decided again");
        acd_recovery_end(&worker->recovery);
        acd_store_disconnect(worker->store);
        acd_assign_doubt(worker);
        acd_clock_sleep_ms(RETRY_MS);
    }
    worker->arena.guard = &no_memory;
    while (!atomic_load(&worker->shared->stop)) {
        acd_pulse_beat(worker->pulse, ACD_PULSE_WORK_MS);
        acd_arena_reset(&worker->arena);
        acd_observe_worker(worker);
        turn(worker);
    }
    acd_pulse_beat(worker->pulse, ACD_PULSE_TALK_MS);
    acd_assign_give_up(worker);
    worker->arena.guard = NULL;
    return NULL;
}

static void free_worker(struct acd_worker *worker)
{
    acd_observe_end(worker);
    acd_recovery_end(&worker->recovery);
    acd_rulebook_give_back(&worker->shared->rules, worker->rules);
    acd_jobs_drop(worker);
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

struct acd_worker *acd_worker_start(struct acd_shared *shared, int slot, struct acd_pulse *pulse)
{
    const struct acd_settings *settings = shared->settings;
    struct acd_worker *worker = calloc(1, sizeof(*worker));
    char host[65] = "";
    char error[256] = "no memory";

    if (!worker)
        return NULL;
    gethostname(host, sizeof(host) - 1);
    worker->shared = shared;
    worker->pulse = pulse;
    acd_nonce(worker->token);
    snprintf(worker->name, sizeof(worker->name), "%.300s-%s-%d", settings->kafka.group, host, slot);
    snprintf(worker->reason, sizeof(worker->reason), "waiting for the consumer group");
    pthread_mutex_init(&worker->lock, NULL);
    acd_arena_init(&worker->arena);
    worker->store = acd_store_open(settings);
    worker->cache =
        acd_cache_new(((size_t)settings->worker.cache_mib << 20) / (size_t)settings->worker.threads);
    worker->consumer = acd_consumer_open(settings, error, sizeof(error));
    if (worker->store && worker->cache && worker->consumer &&
        pthread_create(&worker->thread, NULL, run, worker) == 0)
        return worker;
    acd_log(ACD_LOG_ERROR, "worker %s: %s", worker->name, error);
    free_worker(worker);
    return NULL;
}

void acd_worker_join(struct acd_worker *worker)
{
    struct acd_pulse *pulse = worker ? worker->pulse : NULL;

    if (!worker)
        return;
    pthread_join(worker->thread, NULL);
    free_worker(worker);
    acd_pulse_rest(pulse);
}
