/* In place of src/kafka/topics.c: the directory of topics. */
#include "accountd/topics.h"

#include <stdio.h>
#include <stdlib.h>

#include "faults.h"
#include "kafka.h"

struct acd_topics {
    int64_t taken_us;
    int32_t picture[KAFKA_TOPICS];
};

struct acd_topics *acd_topics_open(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    struct acd_topics *topics = calloc(1, sizeof(*topics));

    if (topics)
        topics->taken_us = -ACD_TOPICS_AGE_MS * MS;
    return topics;
}

void acd_topics_close(struct acd_topics *topics)
{
    free(topics);
}

/* False: an older picture has to do. */
static bool take_picture(struct acd_topics *topics)
{
    sim_step(REQUEST_US);
    topics->taken_us = sim.now_us;
    if (faults_hit(FAULT_ASK, 1000))
        return false;
    for (int i = 0; i < KAFKA_TOPICS; i++)
        topics->picture[i] = kafka_partitions((enum kafka_topic)i);
    return true;
}

int32_t acd_topics_partitions(struct acd_topics *topics, struct acd_slice name)
{
    enum kafka_topic topic = kafka_topic_find(name);

    if (sim.now_us - topics->taken_us >= ACD_TOPICS_AGE_MS * MS)
        take_picture(topics);
    return topic == KAFKA_TOPICS ? 0 : topics->picture[topic];
}

int acd_topics_grow(struct acd_topics *topics, const char *name, int32_t count, char *error,
                    size_t error_bytes)
{
    enum kafka_topic topic = kafka_topic_find(acd_slice_str(name));

    sim_step(REQUEST_US);
    if (topic != KAFKA_TOPICS && !faults_hit(FAULT_ASK, 2000))
        kafka_grow(topic, count);
    sim_say("kafka: %s is to have %d partitions, and has %d", name, count, kafka_partitions(topic));
    if (take_picture(topics) && topic != KAFKA_TOPICS && topics->picture[topic] >= count)
        return 0;
    snprintf(error, error_bytes, "not there yet");
    return -1;
}

enum acd_check acd_topics_check(struct acd_topics *topics, bool embedded, struct acd_own_topics *out,
                                char *error, size_t error_bytes)
{
    if (!take_picture(topics)) {
        snprintf(error, error_bytes, "timed out");
        return ACD_CHECK_WAIT;
    }
    *out = (struct acd_own_topics){"simulated",
                                   topics->picture[KAFKA_COMMANDS],
                                   topics->picture[KAFKA_REPLIES],
                                   topics->picture[KAFKA_EXPORTS],
                                   topics->picture[KAFKA_CHANGELOG],
                                   topics->picture[KAFKA_DEAD_LETTERS]};
    return ACD_CHECK_OK;
}
