/* The simulated consumer's requests. What is committed outside of transactions carries the generation that
 * the background threads know at that moment, though the worker may not. */
#include <stdio.h>

#include "consumer.h"
#include "faults.h"

/* Of src/kafka/consumer.c. */
#define ASK_TIMEOUT_US (15 * SECOND)
#define ASK_AGAIN_US   (100 * MS)

static int fail(struct acd_consumer *consumer, const char *what, enum kafka_error error)
{
    snprintf(consumer->error, sizeof(consumer->error), "%s: %s", what, kafka_error_text(error));
    sim_say("kafka: %s", consumer->error);
    return -1;
}

/* True when a question gets no answer in time. */
static bool unanswered(void)
{
    sim_step(REQUEST_US);
    if (!faults_hit(FAULT_ASK, 1000))
        return false;
    sim_sleep(sim_between(0, ASK_TIMEOUT_US));
    return true;
}

/* A stable fetch: it waits for open transactions. */
static int ask_offset(struct acd_consumer *consumer, struct acd_arena *arena, enum kafka_topic topic,
                      int32_t partition, struct acd_committed *out, int64_t until_us)
{
    const struct kafka_offset *offset;

    while (kafka_offset_pending(topic, partition)) {
        if (sim.now_us >= until_us)
            return fail(consumer, "committed offsets", KAFKA_UNSTABLE);
        sim_step(ASK_AGAIN_US / 2);
    }
    offset = kafka_offset(topic, partition);
    *out = (struct acd_committed){offset->exists, offset->exists ? offset->offset : -1,
                                  acd_arena_copy(arena, offset->metadata)};
    return 0;
}

int acd_consumer_committed(struct acd_consumer *consumer, struct acd_arena *arena, const int32_t *partitions,
                           uint32_t count, struct acd_committed *out)
{
    int64_t until_us = sim.now_us + ASK_TIMEOUT_US;

    if (unanswered())
        return fail(consumer, "committed offsets", KAFKA_TIMED_OUT);
    /* All of one answer are of one moment: one that waits makes all be asked again. */
    for (uint32_t i = 0; i < count; i++) {
        bool waits = kafka_offset_pending(KAFKA_COMMANDS, partitions[i]);

        if (ask_offset(consumer, arena, KAFKA_COMMANDS, partitions[i], &out[i], until_us))
            return -1;
        if (waits)
            i = UINT32_MAX;
    }
    for (uint32_t i = 0; i < count; i++)
        sim_say("kafka: committed %d: %lld %s", partitions[i], (long long)out[i].offset,
                sim_readable(out[i].metadata, 60));
    sim_step(REQUEST_US);
    return 0;
}

int acd_consumer_announced(struct acd_consumer *consumer, struct acd_arena *arena, struct acd_committed *out)
{
    if (unanswered())
        return fail(consumer, "committed offsets", KAFKA_TIMED_OUT);
    if (ask_offset(consumer, arena, KAFKA_CHANGELOG, 0, out, 0))
        return -1;
    sim_say("kafka: announced is %s", out->exists ? sim_readable(out->metadata, 120) : "nothing");
    sim_step(REQUEST_US);
    return 0;
}

struct late_commit {
    char member[24];
    int32_t generation;
    enum kafka_topic topic;
    int32_t partition;
    int64_t offset;
    struct acd_slice metadata;
};

static void do_commit(void *context, int64_t number)
{
    const struct late_commit *late = context;
    enum kafka_error error = kafka_commit(late->member, late->generation, late->topic, late->partition,
                                          late->offset, late->metadata);

    sim_say_of("kafka", "a late commit of %s: %s", sim_readable(late->metadata, 120),
               kafka_error_text(error));
}

static int commit(struct acd_consumer *consumer, enum kafka_topic topic, int32_t partition, int64_t offset,
                  struct acd_slice metadata)
{
    struct late_commit *late = acd_arena_calloc(&sim.memory, 1, sizeof(*late));
    enum kafka_error error;
    uint32_t kind;

    sim_step(REQUEST_US);
    *late = (struct late_commit){.generation = consumer->generation,
                                 .topic = topic,
                                 .partition = partition,
                                 .offset = offset,
                                 .metadata = acd_arena_copy(&sim.memory, metadata)};
    memcpy(late->member, consumer->member, sizeof(late->member));
    sim_step(REQUEST_US);
    kind = faults_hit(FAULT_ANNOUNCE, 3000) ? 1 + sim_below(3) : 0;
    if (kind > 1) {
        sim_later(NULL, kind == 2 ? 1 : faults_late_us(), do_commit, late, 0);
        sim_sleep(2 + sim_between(0, 2 * SECOND));
    }
    if (kind)
        return fail(consumer, "commit", KAFKA_TIMED_OUT);
    error = kafka_commit(late->member, late->generation, topic, partition, offset, metadata);
    sim_say("kafka: commits %s %d: %s: %s", kafka_topic_names[topic], partition, sim_readable(metadata, 120),
            kafka_error_text(error));
    sim_step(REQUEST_US);
    return error ? fail(consumer, "commit", error) : 0;
}

int acd_consumer_announce(struct acd_consumer *consumer, struct acd_slice metadata)
{
    return commit(consumer, KAFKA_CHANGELOG, 0, 0, metadata);
}

int acd_consumer_commit(struct acd_consumer *consumer, const struct acd_offset *offsets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (commit(consumer, KAFKA_COMMANDS, offsets[i].partition, offsets[i].next, offsets[i].token))
            return -1;
    return 0;
}

int acd_consumer_partitions(struct acd_consumer *consumer, int32_t *out)
{
    if (unanswered())
        return fail(consumer, "partitions", KAFKA_TIMED_OUT);
    *out = kafka_partitions(KAFKA_COMMANDS);
    return 0;
}

/* The simulation looks at no lag. */
bool acd_consumer_known_bounds(const struct acd_consumer *consumer, int32_t partition, int64_t *first,
                               int64_t *end)
{
    return false;
}

int acd_consumer_bounds(struct acd_consumer *consumer, int32_t partition, int64_t *first, int64_t *end)
{
    if (unanswered())
        return fail(consumer, "bounds", KAFKA_TIMED_OUT);
    *first = kafka_log(KAFKA_COMMANDS, partition)->start;
    *end = kafka_stable_end(kafka_log(KAFKA_COMMANDS, partition));
    return 0;
}
