/* The group coordinator: the classic protocol with an eager range assignment. */
#include <stdio.h>

#include "faults.h"
#include "kafka.h"

#define MEMBERS_MAX 32

/* session.timeout.ms and heartbeat.interval.ms of src/kafka/consumer_conf.c */
#define SESSION_US   (10 * SECOND)
#define HEARTBEAT_US SECOND

enum state { EMPTY, PREPARING, COMPLETING, STABLE };

struct member {
    char id[24];
    struct kafka_client *client;
    bool joined; /* waits for the rebalance to be done */
    int32_t partitions[KAFKA_PARTITIONS_MAX];
    uint32_t partition_count;
};

static struct member members[MEMBERS_MAX];
static uint32_t member_count;
static enum state state;
static int32_t generation;
static uint64_t rebalance;    /* counts them */
static int64_t open_until_us; /* a group that was empty waits for more members */
static int64_t rebalance_timeout_us;

void kafka_group_begin(int64_t timeout_us)
{
    rebalance_timeout_us = timeout_us;
}

int64_t kafka_poll_interval_us(void)
{
    return rebalance_timeout_us;
}

static struct member *find(const char *id)
{
    for (uint32_t i = 0; i < member_count; i++)
        if (strcmp(members[i].id, id) == 0)
            return &members[i];
    return NULL;
}

/* A note to a client: what a heartbeat or an answer brings, when it comes. The member may be gone by then. */
struct note {
    struct kafka_client *client;
    char member[24];
};

static void tell(const struct member *member, int64_t delay_us, void (*run)(void *, int64_t))
{
    struct note *note = acd_arena_alloc(&sim.memory, sizeof(*note));

    note->client = member->client;
    memcpy(note->member, member->id, sizeof(note->member));
    sim_later(member->client->life, delay_us, run, note, (int64_t)rebalance);
}

static void tell_to_rejoin(void *context, int64_t number)
{
    const struct note *note = context;
    const struct member *member = find(note->member);

    if (member && !member->joined && state == PREPARING && (uint64_t)number == rebalance)
        note->client->rejoin(note->client, note->member);
}

static void tell_forgotten(void *context, int64_t number)
{
    const struct note *note = context;

    if (!find(note->member))
        note->client->forgotten(note->client, note->member);
}

/* ---- Completing */

/* The answer to a member's SyncGroup. Where the group rebalances anew by then it joins again at once. */
static void tell_assignment(void *context, int64_t number)
{
    const struct note *note = context;
    const struct member *member = find(note->member);

    if (!member) {
        note->client->forgotten(note->client, note->member);
    } else if ((uint64_t)number == rebalance && (state == COMPLETING || state == STABLE)) {
        state = STABLE;
        note->client->assigned(note->client, note->member, generation, member->partitions,
                               member->partition_count);
    } else if (!member->joined) {
        kafka_join(note->client, (char *)(uintptr_t)note->member);
    }
}

/* Members in the order of their ids, the first of them with one partition more. */
static void assign_ranges(void)
{
    int32_t partitions = kafka_partitions(KAFKA_COMMANDS);
    int32_t next = 0;

    for (uint32_t i = 1; i < member_count; i++)
        for (uint32_t at = i; at > 0 && strcmp(members[at].id, members[at - 1].id) < 0; at--) {
            struct member moved = members[at];

            members[at] = members[at - 1];
            members[at - 1] = moved;
        }
    for (uint32_t i = 0; i < member_count; i++) {
        int32_t count =
            partitions / (int32_t)member_count + ((int32_t)i < partitions % (int32_t)member_count);

        for (members[i].partition_count = 0; count > 0; count--)
            members[i].partitions[members[i].partition_count++] = next++;
    }
}

static void complete(void)
{
    generation++;
    if (member_count == 0) {
        state = EMPTY;
        return;
    }
    state = COMPLETING;
    assign_ranges();
    sim_say_of("kafka", "group: generation %d has %u members", generation, member_count);
    for (uint32_t i = 0; i < member_count; i++) {
        members[i].joined = false;
        tell(&members[i], sim_latency(20 * MS), tell_assignment);
    }
}

static bool all_joined(void)
{
    for (uint32_t i = 0; i < member_count; i++)
        if (!members[i].joined)
            return false;
    return true;
}

static void try_to_complete(void *context, int64_t number)
{
    if (state == PREPARING && (uint64_t)number == rebalance && all_joined() && sim.now_us >= open_until_us)
        complete();
}

/* ---- Preparing */

static void remove_member(uint32_t at)
{
    memmove(&members[at], &members[at + 1], (--member_count - at) * sizeof(members[0]));
}

/* Members that do not come in time are left behind. */
static void give_up_waiting(void *context, int64_t number)
{
    if (state != PREPARING || (uint64_t)number != rebalance)
        return;
    for (uint32_t i = member_count; i-- > 0;)
        if (!members[i].joined) {
            sim_say_of("kafka", "group: %s did not rejoin in time", members[i].id);
            tell(&members[i], sim_between(0, HEARTBEAT_US), tell_forgotten);
            remove_member(i);
        }
    complete();
}

static void prepare(void)
{
    if (state == PREPARING)
        return;
    /* An empty group waits for more members (group.initial.rebalance.delay.ms). */
    open_until_us = sim.now_us + (state == EMPTY ? sim_between(0, 500 * MS) : 0);
    state = PREPARING;
    rebalance++;
    for (uint32_t i = 0; i < member_count; i++)
        if (!members[i].joined)
            tell(&members[i], sim_between(0, HEARTBEAT_US), tell_to_rejoin);
    sim_later(NULL, open_until_us - sim.now_us, try_to_complete, NULL, (int64_t)rebalance);
    sim_later(NULL, rebalance_timeout_us, give_up_waiting, NULL, (int64_t)rebalance);
}

void kafka_join(struct kafka_client *client, char id[24])
{
    struct member *member = find(id);

    if (!member) {
        if (member_count == MEMBERS_MAX) {
            sim_fail("more members than there can be workers");
            return;
        }
        snprintf(id, 24, "member-%08x", sim_below(UINT32_MAX));
        member = &members[member_count++];
        *member = (struct member){.client = client};
        memcpy(member->id, id, sizeof(member->id));
    }
    sim_say_of("kafka", "group: %s joins, of %s", id, client->life->name);
    prepare();
    find(id)->joined = true;
    try_to_complete(NULL, (int64_t)rebalance);
}

static void remove_and_rebalance(struct member *member)
{
    remove_member((uint32_t)(member - members));
    prepare();
    try_to_complete(NULL, (int64_t)rebalance);
}

void kafka_leave(const char *id)
{
    struct member *member = find(id);

    if (!member)
        return;
    sim_say_of("kafka", "group: %s leaves", id);
    remove_and_rebalance(member);
}

/* ---- Sessions */

static void end_session(void *context, int64_t silent)
{
    struct note *note = context;
    struct member *member = find(note->member);

    if (!member || (silent && !member->client->life->stopped && member->client->life->alive))
        return;
    /* One that waits for the rebalance is not expected to send heartbeats. */
    if (member->joined) {
        sim_later(NULL, SESSION_US, end_session, note, silent);
        return;
    }
    sim_say_of("kafka", "group: the session of %s ends", note->member);
    tell(member, sim_between(0, 3 * HEARTBEAT_US), tell_forgotten);
    remove_and_rebalance(member);
}

void kafka_session_ends(const char *id, int64_t delay_us, bool silent)
{
    struct note *note = acd_arena_calloc(&sim.memory, 1, sizeof(*note));

    snprintf(note->member, sizeof(note->member), "%s", id);
    sim_later(NULL, delay_us, end_session, note, silent);
}

/* ---- Who may commit */

enum kafka_error kafka_group_check(const char *member, int32_t of_generation, bool transactional)
{
    if (of_generation < 0 && state == EMPTY)
        return KAFKA_OK;
    if (of_generation >= 0 || member[0]) {
        if (!find(member))
            return KAFKA_UNKNOWN_MEMBER;
        if (of_generation != generation)
            return KAFKA_ILLEGAL_GENERATION;
    } else if (!transactional) {
        return KAFKA_UNKNOWN_MEMBER;
    }
    return !transactional && state == COMPLETING ? KAFKA_REBALANCE : KAFKA_OK;
}

void kafka_group_grown(void)
{
    if (state != EMPTY)
        prepare();
    try_to_complete(NULL, (int64_t)rebalance);
}
