/* One run: commands are posted while faults happen; then all is mended, every command must be answered, and
 * what clients have seen must be true. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

#include "aim.h"
#include "kafka.h"
#include "operator.h"
#include "process.h"
#include "quiet.h"
#include "upheaval.h"

#define PARTITIONS 3

/* After the last fault; transactions of the dead and silent members take their time. */
#define STUCK_US (300 * SECOND)
#define LOOK_US  (50 * MS)
#define STILL_US (1500 * MS)

struct run {
    struct acd_settings settings;
    const struct world *world;
    struct sim_command *commands;
    uint32_t command_count;
    uint32_t posted;
    int64_t faults_until_us;
    int64_t grow_at_us; /* 0: all partitions are there from the start */
};

/* ---- What a seed decides */

static void choose_settings(struct run *run)
{
    static const int64_t batches[] = {1, 2, 4, 4, 6, 2000};

    if (acd_settings_default(&run->settings))
        abort();
    run->settings.worker.batch_max = batches[sim_below(6)];
    if (run->world->batch)
        run->settings.worker.batch_max = run->world->batch;
    /* A seed makes many workers, and its accounts are few: a large table would be most of its time. */
    run->settings.worker.cache_mib = 1;
    run->settings.limits.admins_per_app = 1 + sim_below(2);
    if (sim_below(3) == 0)
        run->settings.redis.key_prefix = strdup("a*[b]-:");
}

static void begin_cluster(struct run *run)
{
    static const int64_t rebalance_timeouts[] = {15, 45, 45, 300};
    int32_t first = faults_has(FAULT_GROW) ? 1 + (int32_t)sim_below(PARTITIONS - 1) : PARTITIONS;
    int32_t replies = 1 + (int32_t)sim_below(PARTITIONS);
    const int32_t partitions[KAFKA_TOPICS] = {first, replies, first, 1, 1};

    kafka_begin(partitions);
    kafka_group_begin(rebalance_timeouts[sim_below(4)] * SECOND);
    if (first < PARTITIONS)
        run->grow_at_us = sim_between(SECOND, run->faults_until_us);
}

static void begin_processes(const struct run *run)
{
    struct process_options options = {.processes = 2 + sim_below(2), .settings = &run->settings};

    if (run->world->processes)
        options.processes = run->world->processes;
    for (uint32_t i = 0; i < options.processes; i++)
        options.workers[i] = run->world->workers ? run->world->workers : 1 + sim_below(2);
    process_begin(&options);
}

/* ---- Posting */

/* What stands between commands: the end of somebody's transaction, or one that was aborted. */
static void leave_gap(struct kafka_log *log)
{
    if (sim_below(2))
        kafka_append(log, &(struct kafka_record){.state = KAFKA_ABORTED,
                                                 .key = acd_slice_str("never"),
                                                 .value = acd_slice_str("{\"op\":\"list\",\"app\":\"a\"}")});
    kafka_append(log, &(struct kafka_record){.control = true, .state = KAFKA_COMMITTED});
}

static void post(void *context, int64_t number)
{
    struct run *run = context;
    struct sim_command *command = &run->commands[number];
    struct kafka_log *log = kafka_log(KAFKA_COMMANDS, command->partition);

    if (faults_has(FAULT_GAPS) && sim_below(4) == 0)
        leave_gap(log);
    command->offset = kafka_append(log, &(struct kafka_record){.state = KAFKA_COMMITTED,
                                                               .timestamp_ms = command->timestamp_ms,
                                                               .key = command->key,
                                                               .value = command->value,
                                                               .headers = command->headers,
                                                               .header_count = command->header_count});
    run->posted++;
    sim_say_of("client", "posts %d:%lld %s", command->partition, (long long)command->offset,
               sim_readable(command->value, 400));
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* In order, some close to each other and some not; into new partitions only once they are there. */
static void schedule_posts(struct run *run)
{
    int64_t *times = acd_arena_calloc(&sim.memory, run->command_count, sizeof(*times));
    int64_t burst_us = 0;

    for (uint32_t i = 0; i < run->command_count; i++) {
        if (sim_below(run->world->burst ? run->world->burst : 4) == 0)
            burst_us = sim_between(0, run->faults_until_us);
        times[i] = burst_us + (int64_t)sim_below(40 * MS);
    }
    qsort(times, run->command_count, sizeof(*times), compare_times);
    for (uint32_t i = 0; i < run->command_count; i++) {
        bool is_new = run->commands[i].partition >= kafka_partitions(KAFKA_COMMANDS);

        if (is_new && times[i] <= run->grow_at_us)
            times[i] = run->grow_at_us + 1;
        sim_later(NULL, times[i], post, run, i);
    }
}

/* Members notice new partitions with the next picture of the topics that they take. */
static void notice_growth(void *context, int64_t number)
{
    kafka_group_grown();
}

static void grow(void *context, int64_t number)
{
    sim_say_of("kafka", "%s has %d partitions now", kafka_topic_names[KAFKA_COMMANDS], PARTITIONS);
    kafka_grow(KAFKA_COMMANDS, PARTITIONS);
    sim_later(NULL, sim_between(0, 10 * SECOND), notice_growth, NULL, 0);
}

/* ---- The phases */

static bool go_on_until(int64_t until_us)
{
    while (sim.now_us < until_us && !sim.failure[0])
        if (!sim_advance())
            sim_fail("nothing will ever happen any more");
    return !sim.failure[0];
}

static bool settle(struct run *run)
{
    int64_t stuck_us = sim.now_us + STUCK_US;
    int64_t quiet_since_us = -1;
    const char *waits = NULL;

    while (sim.now_us < stuck_us && go_on_until(sim.now_us + LOOK_US)) {
        waits =
            run->posted < run->command_count ? "commands are still posted" : quiet_waits_for(&run->settings);
        if (waits)
            quiet_since_us = -1;
        else if (quiet_since_us < 0)
            quiet_since_us = sim.now_us;
        else if (sim.now_us - quiet_since_us > STILL_US)
            return true;
    }
    sim_fail("stuck: %lld s after the last fault: %s", (long long)(STUCK_US / SECOND),
             waits ? waits : "it does not come to rest");
    return false;
}

static void judge(struct run *run)
{
    struct sim_history history = {.commands = run->commands, .partitions = PARTITIONS};
    const char *wrong;

    for (uint32_t i = 0; i < run->command_count; i++)
        if (!run->commands[i].skipped)
            run->commands[history.command_count++] = run->commands[i];

    quiet_take(&run->settings, &history);
    wrong = sim_check(&sim.memory, &history);
    if (wrong)
        sim_fail("%s", wrong);
    sim_say_of("sim", "%u commands, %u replies, %u changes", history.command_count, history.reply_count,
               history.change_count);
}

const char *run_seed(uint64_t seed, uint64_t faults, const struct world *world, bool trace)
{
    struct run *run;

    sim = (struct sim){.seed = seed,
                       .random = seed * UINT64_C(0x9e3779b97f4a7c15),
                       .trace = trace,
                       .said = trace || aim_any()};
    acd_arena_init(&sim.memory);
    run = acd_arena_calloc(&sim.memory, 1, sizeof(*run));
    run->world = world;
    run->faults_until_us = sim_between(2 * SECOND, sim_below(2) ? 12 * SECOND : 40 * SECOND);
    if (world->seconds)
        run->faults_until_us = world->seconds * SECOND;
    run->command_count = world->commands ? world->commands : PARTITIONS * (5 + sim_below(6));
    faults_begin(faults);
    choose_settings(run);
    begin_cluster(run);
    begin_processes(run);
    run->commands = sim_generate(&sim.memory, seed, world, PARTITIONS, run->command_count);
    for (uint32_t i = 0; i < run->command_count; i++)
        run->commands[i].offset = -1;
    operator_begin(&run->settings, run->commands, run->command_count);
    schedule_posts(run);
    if (run->grow_at_us)
        sim_later(NULL, run->grow_at_us, grow, NULL, 0);
    faults_schedule();
    if (go_on_until(run->faults_until_us)) {
        sim_say_of("sim", "no more faults");
        faults_end();
        upheaval_heal();
        process_heal();
        if (settle(run))
            judge(run);
    }
    return sim.failure[0] ? sim.failure : NULL;
}
