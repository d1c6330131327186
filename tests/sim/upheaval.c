/* What befalls processes, Redis and Kafka as a whole. */
#include "upheaval.h"

#include "aim.h"
#include "consumer.h"
#include "kafka.h"
#include "operator.h"
#include "process.h"

#define SERVERS_MAX 64

static struct redis_server *servers[SERVERS_MAX]; /* that were once official */
static uint32_t server_count;
static struct redis_db files[8]; /* old files of Redis' memory */
static uint32_t file_count;
static bool here; /* it is to befall the running task's process */

/* ---- Processes */

static uint32_t some_process(void)
{
    bool own = here || (sim.task && sim_below(3));

    here = false;
    return own ? process_current() : sim_below(process_count());
}

/* A time between a moment and what is longer than any session. */
static int64_t some_time(void)
{
    switch (sim_below(4)) {
    case 0:
        return sim_between(MS, 50 * MS);
    case 1:
        return sim_between(10 * MS, SECOND);
    case 2:
        return sim_between(SECOND, 12 * SECOND);
    default:
        return sim_between(5 * SECOND, 40 * SECOND);
    }
}

static void kill_one(void)
{
    process_kill(some_process());
}

static void stop_one(void)
{
    process_stop(some_process(), some_time());
}

static void pause_one(void)
{
    int64_t us = some_time();

    if (!sim.task)
        return;
    sim_say("stands still for %lld ms", (long long)(us / MS));
    sim_delay(sim.task, us);
    sim_sleep(1);
}

static void leave_one(void)
{
    process_ask_to_end(sim_below(process_count()));
}

/* ---- Redis */

static void put_in_place(struct redis_server *server, bool at_once)
{
    if (server_count == 0)
        servers[server_count++] = process_official();
    if (server_count < SERVERS_MAX)
        servers[server_count++] = server;
    process_appoint(server, at_once);
}

static void come_up(void *context, int64_t number)
{
    struct redis_server *server = context;

    server->up = true;
    server->loading_until_us = sim.now_us + sim_between(0, sim_below(2) ? 1 : 800 * MS);
}

static void start_over(const struct redis_db *memory, const char *how)
{
    struct redis_server *old = process_official();
    struct redis_server *next = redis_start(memory);

    sim_say_of(old->name, "restarts as %s %s", next->name, how);
    old->up = false;
    redis_wire_break(old, NULL);
    next->up = false;
    sim_later(NULL, sim_between(0, sim_below(2) ? 5 * MS : 2 * SECOND), come_up, next, 0);
    put_in_place(next, true);
}

static void restart_whole(void)
{
    start_over(&process_official()->db, "with all it had");
}

static void restart_without_tail(void)
{
    start_over(redis_before(process_official(), 1 + sim_below(sim_below(2) ? 3 : 12)),
               "without its last writes");
}

static void restart_empty(void)
{
    start_over(NULL, "with nothing");
}

static void restart_with_old_file(void)
{
    if (file_count == 0 || sim_below(3) == 0)
        start_over(redis_before(process_official(), sim_below(REDIS_PICTURES)), "with an old file");
    else
        start_over(&files[sim_below(file_count < 8 ? file_count : 8)], "with a very old file");
}

static void flush(void)
{
    sim_say_of(process_official()->name, "FLUSHALL");
    redis_flush(&process_official()->db);
    redis_remember(process_official());
}

static void forget_functions(void)
{
    sim_say_of(process_official()->name, "FUNCTION FLUSH");
    process_official()->db.functions = false;
}

static void break_connections(void)
{
    sim_say_of(process_official()->name, "loses its connections");
    redis_wire_break(process_official(), NULL);
}

static void serve_again(void *context, int64_t number)
{
    struct redis_server *server = context;

    server->refusal = REDIS_SERVES;
}

static void refuse(void)
{
    struct redis_server *server = process_official();

    server->refusal = (enum redis_refusal)(REDIS_FULL + sim_below(3));
    sim_say_of(server->name, "%s",
               server->refusal == REDIS_FULL       ? "is full"
               : server->refusal == REDIS_AT_LIMIT ? "is full now and then"
                                                   : "cannot save");
    sim_later(NULL, some_time(), serve_again, server, 0);
}

/* What becomes of a master that was replaced: it ends, or follows the new one, or lives on. */
static void settle(void *context, int64_t number)
{
    struct redis_server *old = context;
    struct redis_server *now = process_official();

    if (old == now)
        return;
    if (sim_below(2)) {
        sim_say_of(old->name, "ends");
        old->up = false;
        redis_wire_break(old, NULL);
    } else {
        sim_say_of(old->name, "follows %s", now->name);
        old->master = false;
        old->db = redis_picture(&now->db);
        memcpy(old->replication_id, now->replication_id, sizeof(old->replication_id));
        redis_wire_break(old, NULL);
    }
}

/* Two masters before the group has ever announced one could both be taken into use: the first start is not
 * made at such a moment. */
static bool is_announced(void)
{
    return kafka_offset(KAFKA_CHANGELOG, 0)->exists;
}

static void fail_over(void)
{
    struct redis_server *old = process_official();
    struct redis_server *next;

    if (!is_announced())
        return;
    next = redis_start(redis_before(old, sim_below(3) ? sim_below(6) : 0));

    sim_say_of(old->name, "%s takes over, and %s lives on", next->name, old->name);
    put_in_place(next, false);
    if (sim_below(3))
        sim_later(NULL, some_time(), settle, old, 0);
}

/* One that was official before and lives is so again, with its own memory. */
static void put_back(void)
{
    struct redis_server *now = process_official();
    struct redis_server *old = server_count ? servers[sim_below(server_count)] : now;

    if (old == now || !old->up)
        return;
    sim_say_of(now->name, "%s is put back in its place", old->name);
    if (!old->master)
        redis_new_id(old->replication_id);
    old->master = true;
    put_in_place(old, sim_below(2));
    if (sim_below(2))
        sim_later(NULL, some_time(), settle, now, 0);
}

/* ---- Kafka */

static void retain(void)
{
    int32_t partition = (int32_t)sim_below((uint32_t)kafka_partitions(KAFKA_COMMANDS));
    const struct kafka_offset *offset = kafka_offset(KAFKA_COMMANDS, partition);
    const struct kafka_log *log = kafka_log(KAFKA_COMMANDS, partition);

    if (!offset->exists || offset->offset <= log->start)
        return;
    kafka_retain(partition, sim_between(log->start, offset->offset));
    sim_say_of("kafka", "commands %d before %lld are deleted", partition, (long long)log->start);
}

static void compact(void)
{
    sim_say_of("kafka", "the changelog is compacted");
    kafka_compact();
}

/* ---- */

static void (*const deeds[FAULT_COUNT])(void) = {
    [FAULT_KILL] = kill_one,
    [FAULT_STOP] = stop_one,
    [FAULT_PAUSE] = pause_one,
    [FAULT_LEAVE] = leave_one,
    [FAULT_SESSION] = consumer_lose_session,
    [FAULT_BREAK] = break_connections,
    [FAULT_REFUSE] = refuse,
    [FAULT_FUNCTIONS] = forget_functions,
    [FAULT_RESTART] = restart_whole,
    [FAULT_RETENTION] = retain,
    [FAULT_COMPACT] = compact,
    [FAULT_FLUSH] = flush,
    [FAULT_TAIL] = restart_without_tail,
    [FAULT_WIPE] = restart_empty,
    [FAULT_OLD] = restart_with_old_file,
    [FAULT_FAILOVER] = fail_over,
    [FAULT_BACK] = put_back,
    [FAULT_SKIP] = operator_skip,
};

bool upheaval_is(enum fault fault)
{
    return deeds[fault] != NULL;
}

void upheaval_do(enum fault fault)
{
    /* Now and then a file is kept that comes back much later. */
    if ((faults_has(FAULT_OLD) || aim_names(FAULT_OLD)) && sim_below(2))
        files[file_count++ % 8] = redis_picture(&process_official()->db);
    deeds[fault]();
}

void upheaval_do_here(enum fault fault)
{
    here = true;
    upheaval_do(fault);
    here = false;
}

void upheaval_heal(void)
{
    struct redis_server *official = process_official();

    for (uint32_t i = 0; i < server_count; i++)
        if (servers[i] != official) {
            servers[i]->up = false;
            redis_wire_break(servers[i], NULL);
        }
    official->up = true;
    official->master = true;
    official->refusal = REDIS_SERVES;
    official->loading_until_us = 0;
}
