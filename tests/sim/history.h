/* history.h: what a client can see of a run, and the checker that judges it.
 *
 * The checker knows nothing of workers, markers or incarnations: commands as they were posted, replies and
 * changelog records as committed transactions wrote them, and what Redis holds when all is quiet.
 */
#ifndef ACCOUNTD_SIM_HISTORY_H
#define ACCOUNTD_SIM_HISTORY_H

#include "accountd/arena.h"
#include "accountd/outgoing.h"
#include "world.h"

/* A command as posted; its offset is its index among those of its partition plus the gaps before it, -1
 * before it is posted. */
struct sim_command {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct acd_slice key;
    struct acd_slice value;
    const struct acd_header *headers;
    uint32_t header_count;
    bool skipped; /* by an operator: the checker does not see it */
};

/* A record that a committed transaction wrote, in the order of its partition. */
struct sim_message {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct acd_slice key;
    struct acd_slice value;
    const struct acd_header *headers;
    uint32_t header_count;
};

/* One field of a hash, one member of a set (value absent) or of a sorted set (value: the score). */
struct sim_item {
    struct acd_slice key; /* of Redis, with the prefix */
    struct acd_slice name;
    struct acd_slice value;
};

struct sim_history {
    const struct sim_command *commands;
    uint32_t command_count;
    int32_t partitions;
    const struct sim_message *replies; /* of the reply topic */
    uint32_t reply_count;
    const struct sim_message *changes; /* of the changelog */
    uint32_t change_count;
    const struct sim_item *redis; /* all of Redis but accountd:*, when all is quiet */
    uint32_t redis_count;
    int64_t admins_per_app;
    const char *prefix; /* of Redis' keys */
};

/* Returns NULL when every command has one reply, some order of the commands that keeps the order of each
 * partition makes every reply true, and both Redis and the changelog hold what that order ends with. Else
 * what is wrong, for a person to read, in the arena. */
const char *sim_check(struct acd_arena *arena, const struct sim_history *history);

/* The commands of a run, from its seed and world alone: few accounts reached from all partitions, creates,
 * edits, deletes, reads, lists, admins, several accounts in one command, dry runs, both encodings, garbage.
 * Offsets are left 0: the broker gives them. */
struct sim_command *sim_generate(struct acd_arena *arena, uint64_t seed, const struct world *world,
                                 int32_t partitions, uint32_t count);

#endif
