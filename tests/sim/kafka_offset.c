/* What the group has committed. */
#include "kafka.h"

#define PENDING_MAX 256

struct pending {
    uint64_t transaction; /* 0: a free place */
    int32_t partition;
    uint64_t number;
    int64_t offset;
    struct acd_slice metadata;
};

struct place {
    struct kafka_offset committed;
    uint64_t number; /* of the commit, in the order of the coordinator's log: an older one changes nothing */
};

static struct place places[2][KAFKA_PARTITIONS_MAX]; /* of commands and of the changelog */
static struct pending pending[PENDING_MAX];
static uint64_t numbers;

static struct place *place_of(enum kafka_topic topic, int32_t partition)
{
    return &places[topic == KAFKA_CHANGELOG][partition];
}

static void set(struct place *place, uint64_t number, int64_t offset, struct acd_slice metadata)
{
    if (number < place->number)
        return;
    *place = (struct place){{true, offset, acd_arena_copy(&sim.memory, metadata)}, number};
}

void kafka_offset_set(enum kafka_topic topic, int32_t partition, int64_t offset, struct acd_slice metadata)
{
    set(place_of(topic, partition), ++numbers, offset, metadata);
}

void kafka_offset_add(uint64_t transaction, int32_t partition, int64_t offset, struct acd_slice metadata)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++)
        if (!pending[i].transaction) {
            pending[i] = (struct pending){transaction, partition, ++numbers, offset,
                                          acd_arena_copy(&sim.memory, metadata)};
            return;
        }
    sim_fail("too many offsets are pending");
}

void kafka_offset_resolve(uint64_t transaction, bool committed)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        if (pending[i].transaction != transaction)
            continue;
        if (committed)
            set(place_of(KAFKA_COMMANDS, pending[i].partition), pending[i].number, pending[i].offset,
                pending[i].metadata);
        pending[i].transaction = 0;
    }
}

bool kafka_offset_pending(enum kafka_topic topic, int32_t partition)
{
    for (uint32_t i = 0; topic == KAFKA_COMMANDS && i < PENDING_MAX; i++)
        if (pending[i].transaction && pending[i].partition == partition)
            return true;
    return false;
}

const struct kafka_offset *kafka_offset(enum kafka_topic topic, int32_t partition)
{
    return &place_of(topic, partition)->committed;
}

enum kafka_error kafka_commit(const char *member, int32_t generation, enum kafka_topic topic,
                              int32_t partition, int64_t offset, struct acd_slice metadata)
{
    enum kafka_error error = kafka_group_check(member, generation, false);

    if (!error)
        kafka_offset_set(topic, partition, offset, metadata);
    return error;
}
