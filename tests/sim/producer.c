/* In place of src/kafka/producer.c: one transaction, step by step, with the verdicts that librdkafka and
 * src/kafka/producer.c come to. */
#include "accountd/producer.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer.h"
#include "faults.h"
#include "kafka.h"

/* Of src/kafka/producer.c. */
#define OPEN_TIMEOUT_US (20 * SECOND)
#define STEP_TIMEOUT_US (15 * SECOND)
#define AGAIN_US        (2 * MS)

struct acd_producer {
    struct kafka_owner *owner;
    int32_t epoch;
    int64_t changelog_ends[KAFKA_PARTITIONS_MAX];
    char error[128];
};

static enum kafka_error fail(struct acd_producer *producer, const char *step, enum kafka_error error)
{
    snprintf(producer->error, sizeof(producer->error), "%s: %s", step, kafka_error_text(error));
    sim_say("kafka: transaction: %s", producer->error);
    return error;
}

struct acd_producer *acd_producer_open(const struct acd_settings *settings, const char *transactional_id,
                                       char *error, size_t error_bytes)
{
    struct acd_producer *producer = calloc(1, sizeof(*producer));
    int64_t until_us = sim.now_us + OPEN_TIMEOUT_US;
    enum kafka_error failure;

    if (!producer)
        return NULL;
    do {
        sim_step(4 * REQUEST_US);
        failure = kafka_init_producer(transactional_id, &producer->owner, &producer->epoch);
    } while (failure && sim.now_us < until_us);
    sim_step(REQUEST_US);
    if (!failure && !faults_hit(FAULT_TRANSACTION, 500)) {
        sim_say("kafka: producer %s has epoch %d", transactional_id, producer->epoch);
        return producer;
    }
    snprintf(error, error_bytes, "%s", kafka_error_text(failure ? failure : KAFKA_TIMED_OUT));
    free(producer);
    return NULL;
}

void acd_producer_close(struct acd_producer *producer)
{
    free(producer);
}

const char *acd_producer_error(const struct acd_producer *producer)
{
    return producer->error;
}

const char *acd_producer_blamed(const struct acd_producer *producer)
{
    return "";
}

int64_t acd_producer_changelog_end(const struct acd_producer *producer, int32_t partition)
{
    return partition >= 0 && partition < KAFKA_PARTITIONS_MAX ? producer->changelog_ends[partition] : 0;
}

/* ---- The end */

struct ending {
    struct kafka_owner *owner;
    int32_t epoch;
};

static void end_late(void *context, int64_t commit)
{
    const struct ending *ending = context;
    enum kafka_error error = kafka_end(ending->owner, ending->epoch, commit);

    sim_say_of("kafka", "a late %s: %s", commit ? "commit" : "abort", kafka_error_text(error));
}

/* The end is asked for, again and again until there is an answer, or nobody waits for it any more. */
static enum kafka_error end(struct acd_producer *producer, bool commit)
{
    struct ending *ending;
    uint32_t kind;

    sim_step(REQUEST_US);
    kind = faults_hit(FAULT_END, 700) ? 1 + sim_below(4) : 0;
    if (kind > 1) {
        ending = acd_arena_alloc(&sim.memory, sizeof(*ending));
        *ending = (struct ending){producer->owner, producer->epoch};
        sim_later(NULL, kind == 2 ? 1 : faults_late_us(), end_late, ending, commit);
    }
    if (kind == 0) {
        enum kafka_error error = kafka_end(producer->owner, producer->epoch, commit);

        sim_say("kafka: %s: %s", commit ? "commits" : "aborts", kafka_error_text(error));
        sim_step(REQUEST_US);
        return error ? fail(producer, commit ? "commit" : "abort", error) : KAFKA_OK;
    }
    sim_sleep(sim_between(1, sim_below(2) ? STEP_TIMEOUT_US : SECOND));
    return fail(producer, commit ? "commit" : "abort", KAFKA_TIMED_OUT);
}

/* Aborts, and says what is to be done, as src/kafka/producer.c does. */
static enum acd_publish give_up(struct acd_producer *producer, enum kafka_error why)
{
    char reason[sizeof(producer->error)];

    if (why == KAFKA_FENCED || why == KAFKA_BAD_STATE || why == KAFKA_CONCURRENT)
        return ACD_PUBLISH_LOST;
    memcpy(reason, producer->error, sizeof(reason));
    if (end(producer, false))
        return ACD_PUBLISH_LOST;
    memcpy(producer->error, reason, sizeof(reason));
    return why == KAFKA_ILLEGAL_GENERATION || why == KAFKA_UNKNOWN_MEMBER || why == KAFKA_REBALANCE
               ? ACD_PUBLISH_FENCED
               : ACD_PUBLISH_AGAIN;
}

/* ---- The steps */

/* A step that fails for good now and then, and most often only takes its time. */
static enum kafka_error step(struct acd_producer *producer, const char *name)
{
    sim_step(REQUEST_US);
    if (!faults_hit(FAULT_TRANSACTION, 400))
        return KAFKA_OK;
    sim_sleep(sim_between(1, sim_below(4) ? SECOND : STEP_TIMEOUT_US));
    return sim_below(3) ? fail(producer, name, KAFKA_TIMED_OUT) : KAFKA_OK;
}

static enum kafka_error send_offsets(struct acd_producer *producer, const struct acd_group *group,
                                     const struct acd_offset *offsets, uint32_t count)
{
    int64_t until_us = sim.now_us + STEP_TIMEOUT_US;
    enum kafka_error error;

    if (step(producer, "offsets"))
        return KAFKA_TIMED_OUT;
    while ((error = kafka_add_offsets(producer->owner, producer->epoch)) == KAFKA_CONCURRENT &&
           sim.now_us < until_us)
        sim_step(AGAIN_US);
    if (!error && step(producer, "offsets"))
        return KAFKA_TIMED_OUT;
    if (!error)
        error = kafka_commit_in_transaction(producer->owner, producer->epoch, group->generation,
                                            group->member, offsets, count);
    for (uint32_t i = 0; i < count; i++)
        sim_say("kafka: offset %d:%lld %s of generation %d in the transaction: %s", offsets[i].partition,
                (long long)offsets[i].next, sim_readable(offsets[i].token, 60), group->generation,
                kafka_error_text(error));
    sim_step(REQUEST_US);
    return error ? fail(producer, "offsets", error) : KAFKA_OK;
}

static enum kafka_error send_message(struct acd_producer *producer, const struct acd_outgoing *message)
{
    enum kafka_topic topic = kafka_topic_find(message->topic);
    int32_t partition = message->partition == ACD_ANY_PARTITION ? 0 : message->partition;
    enum kafka_error error;
    int64_t offset;

    if (topic == KAFKA_TOPICS || partition >= kafka_partitions(topic)) {
        sim_fail("a message goes to a topic or partition that does not exist");
        return fail(producer, "message", KAFKA_BAD_STATE);
    }
    if (step(producer, "message"))
        return KAFKA_TIMED_OUT;
    error = kafka_add_partition(producer->owner, producer->epoch, topic, partition);
    if (!error && step(producer, "message"))
        return KAFKA_TIMED_OUT;
    if (!error)
        error = kafka_produce(producer->owner, producer->epoch, topic, partition, message, &offset);
    if (error)
        return fail(producer, "message", error);
    sim_say("kafka: writes %s %d:%lld %s", kafka_topic_names[topic], partition, (long long)offset,
            sim_readable(message->value, 400));
    if (topic == KAFKA_CHANGELOG)
        producer->changelog_ends[partition] = offset + 1;
    return KAFKA_OK;
}

enum acd_publish acd_producer_publish(struct acd_producer *producer, const struct acd_group *group,
                                      const struct acd_offset *offsets, uint32_t offset_count,
                                      const struct acd_outgoing *messages, uint32_t message_count)
{
    enum kafka_error error;

    producer->error[0] = '\0';
    if (!group) {
        sim_fail("a transaction is to be fenced by a group that this worker is no member of");
        return ACD_PUBLISH_LOST;
    }
    error = send_offsets(producer, group, offsets, offset_count);
    for (uint32_t i = 0; !error && i < message_count; i++)
        error = send_message(producer, &messages[i]);
    if (error)
        return give_up(producer, error);
    return end(producer, true) ? ACD_PUBLISH_LOST : ACD_PUBLISHED;
}
