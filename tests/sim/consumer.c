/* In place of src/kafka/consumer.c: a member of the group, with librdkafka's background threads: what they
 * have brought is seen by the worker at its next poll. */
#include "accountd/consumer.h"

#include <stdlib.h>

#include "consumer.h"
#include "faults.h"

#define FETCH_US      (2 * MS)
#define LOOK_AGAIN_US (20 * MS)
#define LOOK_US       (5 * SECOND)

static struct acd_consumer *consumers; /* all that there ever were */

static void join(void *context, int64_t number)
{
    struct acd_consumer *consumer = context;

    if (consumer->closed || consumer->membership != OUT)
        return;
    consumer->membership = JOINING;
    kafka_join(&consumer->client, consumer->member);
}

static void wake(struct acd_consumer *consumer)
{
    if (consumer->waiting)
        sim_wake(consumer->waiting);
}

static void add_news(struct acd_consumer *consumer, enum news news)
{
    if (consumer->news_count == sizeof(consumer->news) / sizeof(consumer->news[0]))
        sim_fail("a consumer has too much news");
    else
        consumer->news[consumer->news_count++] = news;
    wake(consumer);
}

/* ---- What the coordinator says */

/* Word for a member that this client is no longer comes to nothing. */
static bool concerns(const struct acd_consumer *consumer, const char *member)
{
    return !consumer->closed && strcmp(consumer->member, member) == 0;
}

static void on_rejoin(struct kafka_client *client, const char *member)
{
    struct acd_consumer *consumer = (struct acd_consumer *)client;

    if (!concerns(consumer, member) || consumer->membership != MEMBER)
        return;
    consumer->membership = REVOKING;
    add_news(consumer, REVOKED);
}

static void on_assigned(struct kafka_client *client, const char *member, int32_t generation,
                        const int32_t *partitions, uint32_t count)
{
    struct acd_consumer *consumer = (struct acd_consumer *)client;

    if (!concerns(consumer, member) || consumer->membership != JOINING)
        return;
    consumer->membership = MEMBER;
    consumer->generation = generation;
    consumer->incoming_count = count;
    memcpy(consumer->incoming, partitions, count * sizeof(*partitions));
    add_news(consumer, ASSIGNED);
}

static void on_forgotten(struct kafka_client *client, const char *member)
{
    struct acd_consumer *consumer = (struct acd_consumer *)client;

    if (!concerns(consumer, member))
        return;
    consumer->member[0] = '\0';
    consumer->generation = -1;
    if (consumer->membership == JOINING) {
        consumer->membership = OUT;
        sim_later(client->life, sim_latency(20 * MS), join, consumer, 0);
    } else if (consumer->membership == MEMBER) {
        consumer->membership = REVOKING;
        add_news(consumer, REVOKED);
    }
}

/* max.poll.interval.ms: one that does not poll leaves. */
static void look_at_polls(void *context, int64_t number)
{
    struct acd_consumer *consumer = context;

    if (consumer->closed)
        return;
    sim_later(consumer->client.life, LOOK_US, look_at_polls, consumer, 0);
    if (consumer->membership == MEMBER && sim.now_us - consumer->polled_us > kafka_poll_interval_us()) {
        sim_say_of(consumer->client.life->name, "has not polled for too long, and leaves the group");
        kafka_leave(consumer->member);
        on_forgotten(&consumer->client, consumer->member);
    }
}

/* ---- Opening and closing */

static void forget_assignment(struct acd_consumer *consumer)
{
    free(consumer->assigned);
    consumer->assigned = NULL;
    consumer->assigned_count = 0;
    consumer->in_group = false;
    consumer->paused = false;
    consumer->epoch++;
    for (int i = 0; i < KAFKA_PARTITIONS_MAX; i++)
        consumer->position[i] = -1;
}

struct acd_consumer *acd_consumer_open(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    struct acd_consumer *consumer = calloc(1, sizeof(*consumer));

    if (!consumer)
        return NULL;
    consumer->client = (struct kafka_client){sim_task_life(sim.task), on_rejoin, on_assigned, on_forgotten};
    consumer->generation = -1;
    consumer->polled_us = sim.now_us;
    consumer->next = consumers;
    consumers = consumer;
    forget_assignment(consumer);
    sim_later(consumer->client.life, sim_latency(20 * MS), join, consumer, 0);
    sim_later(consumer->client.life, LOOK_US, look_at_polls, consumer, 0);
    return consumer;
}

/* That it leaves may not reach the coordinator, which then learns it from the silence. */
static void leave(struct acd_consumer *consumer)
{
    sim_step(REQUEST_US);
    forget_assignment(consumer);
    if (consumer->member[0] && faults_hit(FAULT_SESSION, 2000))
        kafka_session_ends(consumer->member, sim_between(9 * SECOND, 10 * SECOND), false);
    else if (consumer->member[0])
        kafka_leave(consumer->member);
    consumer->member[0] = '\0';
    consumer->generation = -1;
    consumer->membership = OUT;
    consumer->news_count = 0;
    sim_step(REQUEST_US);
}

int acd_consumer_rejoin(struct acd_consumer *consumer)
{
    sim_say("kafka: leaves the group, to join anew");
    leave(consumer);
    consumer->polled_us = sim.now_us;
    sim_later(consumer->client.life, sim_latency(20 * MS), join, consumer, 0);
    return 0;
}

/* Events may still come for it: it is left where it is, and knows that it is closed. */
void acd_consumer_close(struct acd_consumer *consumer)
{
    if (!consumer)
        return;
    consumer->closed = true;
    leave(consumer);
}

void consumer_silence(struct sim_life *life, bool ended)
{
    for (struct acd_consumer *consumer = consumers; consumer; consumer = consumer->next) {
        /* One that dies while it leaves may not have left. */
        if (consumer->client.life != life || (consumer->closed && !consumer->member[0]))
            continue;
        consumer->closed |= ended;
        if (consumer->member[0])
            kafka_session_ends(consumer->member, sim_between(9 * SECOND, 10 * SECOND), true);
    }
}

void consumer_lose_session(void)
{
    uint32_t count = 0;
    uint32_t chosen;

    for (const struct acd_consumer *consumer = consumers; consumer; consumer = consumer->next)
        count += !consumer->closed && consumer->member[0];
    chosen = count ? sim_below(count) : 0;
    for (const struct acd_consumer *consumer = consumers; consumer && count; consumer = consumer->next)
        if (!consumer->closed && consumer->member[0] && chosen-- == 0) {
            kafka_session_ends(consumer->member, 0, false);
            return;
        }
}

/* ---- Polling */

static void serve_news(struct acd_consumer *consumer)
{
    enum news news = consumer->news[0];

    memmove(consumer->news, consumer->news + 1, --consumer->news_count * sizeof(consumer->news[0]));
    forget_assignment(consumer);
    if (news == REVOKED) {
        sim_say("kafka: partitions revoked");
        consumer->membership = OUT;
        sim_later(consumer->client.life, sim_latency(MS), join, consumer, 0);
        return;
    }
    consumer->assigned = calloc(consumer->incoming_count + (size_t)1, sizeof(*consumer->assigned));
    if (!consumer->assigned)
        abort();
    memcpy(consumer->assigned, consumer->incoming, consumer->incoming_count * sizeof(*consumer->assigned));
    consumer->assigned_count = consumer->incoming_count;
    consumer->in_group = consumer->member[0] != '\0';
    consumer->group.generation = consumer->generation;
    memcpy(consumer->group.member, consumer->member, sizeof(consumer->member));
    sim_say("kafka: generation %d, %u partitions assigned%s%d", consumer->generation,
            consumer->assigned_count, consumer->assigned_count ? " from " : "; none, not ",
            consumer->assigned_count ? consumer->assigned[0] : 0);
}

static void fill(struct acd_record *out, int32_t partition, int64_t offset)
{
    const struct kafka_record *record = &kafka_log(KAFKA_COMMANDS, partition)->records[offset];

    *out = (struct acd_record){partition,   offset,        record->timestamp_ms,
                               record->key, record->value, (void *)(uintptr_t)record};
}

/* One look at one partition. */
static enum acd_poll look(struct acd_consumer *consumer, int32_t partition, struct acd_record *record)
{
    const struct kafka_log *log = kafka_log(KAFKA_COMMANDS, partition);
    int64_t *position = &consumer->position[partition];
    int64_t found;

    if (*position < 0 || consumer->fetched_us[partition] > sim.now_us)
        return ACD_POLL_NOTHING;
    if (*position < log->start || *position > log->end) {
        if (consumer->told[partition])
            return ACD_POLL_NOTHING;
        consumer->told[partition] = true;
        record->partition = partition;
        sim_say("kafka: offset %lld of partition %d is out of range", (long long)*position, partition);
        return ACD_POLL_OUT_OF_RANGE;
    }
    found = kafka_visible(log, *position, kafka_stable_end(log));
    if (found < 0)
        return ACD_POLL_NOTHING;
    *position = found + 1;
    fill(record, partition, found);
    sim_say("kafka: record %d:%lld", partition, (long long)found);
    return ACD_POLL_RECORD;
}

static enum acd_poll look_at_all(struct acd_consumer *consumer, struct acd_record *record)
{
    enum acd_poll polled = ACD_POLL_NOTHING;

    if (consumer->paused)
        return ACD_POLL_NOTHING;
    for (uint32_t i = 0; i < consumer->assigned_count && polled == ACD_POLL_NOTHING; i++)
        polled = look(consumer, consumer->assigned[(consumer->turn + i) % consumer->assigned_count], record);
    consumer->turn += sim_below(4) == 0;
    return polled;
}

enum acd_poll acd_consumer_poll(struct acd_consumer *consumer, int timeout_ms, struct acd_record *record)
{
    int64_t until_us = sim.now_us + timeout_ms * MS;
    enum acd_poll polled;

    consumer->polled_us = sim.now_us;
    sim_sleep(sim_latency(5));
    for (;;) {
        if (consumer->news_count > 0) {
            serve_news(consumer);
            return ACD_POLL_NOTHING;
        }
        polled = look_at_all(consumer, record);
        if (polled != ACD_POLL_NOTHING || sim.now_us >= until_us)
            break;
        /* Nobody says when a record comes: it is looked for. */
        consumer->waiting = sim.task;
        sim_sleep(until_us - sim.now_us < LOOK_AGAIN_US ? until_us - sim.now_us : LOOK_AGAIN_US);
        consumer->waiting = NULL;
    }
    consumer->polled_us = sim.now_us;
    return polled;
}

void acd_record_release(struct acd_record *record)
{
    record->message = NULL;
}

int acd_record_headers(const struct acd_record *record, struct acd_arena *arena,
                       const struct acd_header **headers, uint32_t *count)
{
    const struct kafka_record *kept = record->message;

    *headers = kept->headers;
    *count = kept->header_count;
    return 0;
}

/* ---- What the worker asks for without a request */

const char *acd_consumer_trouble(const struct acd_consumer *consumer)
{
    return "";
}

const char *acd_consumer_error(const struct acd_consumer *consumer)
{
    return consumer->error;
}

uint64_t acd_consumer_epoch(const struct acd_consumer *consumer)
{
    return consumer->epoch;
}

uint32_t acd_consumer_assigned(const struct acd_consumer *consumer, const int32_t **partitions)
{
    *partitions = consumer->assigned;
    return consumer->assigned_count;
}

const struct acd_group *acd_consumer_group(const struct acd_consumer *consumer)
{
    return consumer->in_group ? &consumer->group : NULL;
}

int acd_consumer_start(struct acd_consumer *consumer, const struct acd_position *positions, uint32_t count)
{
    for (int i = 0; i < KAFKA_PARTITIONS_MAX; i++)
        consumer->position[i] = -1;
    for (uint32_t i = 0; i < count; i++) {
        int32_t partition = positions[i].partition;

        consumer->position[partition] = positions[i].offset == ACD_OFFSET_BEGINNING
                                            ? kafka_log(KAFKA_COMMANDS, partition)->start
                                            : positions[i].offset;
        consumer->told[partition] = false;
        consumer->fetched_us[partition] = sim.now_us + sim_latency(FETCH_US);
        sim_say("kafka: fetches %d from %lld", partition, (long long)consumer->position[partition]);
    }
    consumer->paused = false;
    return 0;
}

void acd_consumer_pause(struct acd_consumer *consumer, bool pause)
{
    consumer->paused = pause;
}
