/* What src/ctl/rebuild.c does, without its terminal, between the end of all processes and their start. */
#include "operator.h"

#include <stdatomic.h>

#include "accountd/recovery.h"
#include "accountd/topics.h"
#include "kafka.h"
#include "process.h"
#include "sim.h"

#define LOOK_US (300 * MS)

static const struct acd_settings *settings;
static struct sim_command *commands;
static uint32_t command_count;
static bool busy;

void operator_begin(const struct acd_settings *own_settings, struct sim_command *own_commands, uint32_t count)
{
    settings = own_settings;
    commands = own_commands;
    command_count = count;
    busy = false;
}

/* A partition that has answered something and not everything, or -1. */
static int32_t choose_partition(void)
{
    int32_t count = kafka_partitions(KAFKA_COMMANDS);
    int32_t first = (int32_t)sim_below((uint32_t)count);

    for (int32_t i = 0; i < count; i++) {
        int32_t partition = (first + i) % count;
        const struct kafka_offset *offset = kafka_offset(KAFKA_COMMANDS, partition);

        if (offset->exists && offset->offset < kafka_log(KAFKA_COMMANDS, partition)->end)
            return partition;
    }
    return -1;
}

static void set_forward(int32_t partition)
{
    int64_t from = kafka_offset(KAFKA_COMMANDS, partition)->offset;
    int64_t end = kafka_log(KAFKA_COMMANDS, partition)->end;
    int64_t next = from + 1 + (int64_t)sim_below((uint32_t)(end - from));

    for (uint32_t i = 0; i < command_count; i++)
        if (commands[i].partition == partition && commands[i].offset >= from && commands[i].offset < next)
            commands[i].skipped = true;
    sim_say("sets the offset of partition %d from %lld to %lld", partition, (long long)from, (long long)next);
    kafka_offset_set(KAFKA_COMMANDS, partition, next, acd_slice("", 0));
}

static void report(void *context, const char *text)
{
    sim_say("%s", text);
}

static void poll_once(struct acd_consumer *consumer)
{
    struct acd_record record;

    if (acd_consumer_poll(consumer, (int)(LOOK_US / MS), &record) == ACD_POLL_RECORD)
        acd_record_release(&record);
}

/* One attempt of accountctl rebuild --accept-offsets. */
static bool rebuild(struct acd_recovery *recovery, struct acd_arena *arena)
{
    enum acd_recovered result;
    struct acd_slice present;

    acd_arena_reset(arena);
    if (!acd_store_connected(recovery->store) && acd_store_connect(recovery->store, arena) != ACD_STORE_OK)
        return false;
    if (acd_store_incarnation(recovery->store, arena, &present) != ACD_STORE_OK)
        return false;
    acd_recovery_begin(recovery, NULL);
    result = acd_recover(recovery, present);
    if (result == ACD_RECOVERY_IMPOSSIBLE)
        sim_fail("an operator's rebuild is impossible: %s", recovery->error);
    acd_recovery_end(recovery);
    return result == ACD_RECOVERED;
}

static void accept_offsets(void)
{
    struct acd_recovery *recovery = acd_arena_calloc(&sim.memory, 1, sizeof(*recovery));
    struct acd_own_topics own;
    char error[256];
    struct acd_topics *topics = acd_topics_open(settings, error, sizeof(error));
    atomic_bool *stop = acd_arena_calloc(&sim.memory, 1, sizeof(*stop));
    struct acd_arena arena;

    acd_arena_init(&arena);
    while (acd_topics_check(topics, false, &own, error, sizeof(error)) != ACD_CHECK_OK)
        sim_sleep(LOOK_US);
    *recovery = (struct acd_recovery){.settings = settings,
                                      .cluster = own.cluster,
                                      .consumer = acd_consumer_open(settings, error, sizeof(error)),
                                      .store = acd_store_open(settings),
                                      .stop = stop,
                                      .report = report,
                                      .accept_offsets = true};
    while (!acd_consumer_group(recovery->consumer))
        poll_once(recovery->consumer);
    while (!rebuild(recovery, &arena))
        poll_once(recovery->consumer);
    acd_recovery_end(recovery);
    acd_consumer_close(recovery->consumer);
    acd_store_close(recovery->store);
    acd_topics_close(topics);
    acd_arena_free(&arena);
}

static void work(void *context)
{
    struct sim_life *life = context;
    int32_t partition;

    process_hold();
    while (kafka_transactions_open())
        sim_sleep(LOOK_US);
    partition = choose_partition();
    if (partition >= 0) {
        set_forward(partition);
        accept_offsets();
    }
    process_release();
    busy = false;
    life->alive = false;
}

static void begin(void *context, int64_t number)
{
    struct sim_life *life = acd_arena_calloc(&sim.memory, 1, sizeof(*life));

    sim_life_begin(life, "operator");
    sim_task_start(life, "", work, life);
}

void operator_skip(void)
{
    /* Before the group has announced a Redis there is nothing to accept. */
    if (busy || !kafka_offset(KAFKA_CHANGELOG, 0)->exists || choose_partition() < 0)
        return;
    busy = true;
    sim_later(NULL, 1, begin, NULL, 0);
}
