/* Processes. */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

#include "accountd/worker.h"
#include "consumer.h"
#include "faults.h"

#define WORKERS_MAX 2
#define SLOTS_MAX   8
#define LOOK_US     (250 * MS)

struct process {
    char name[16];
    char host[16];
    uint32_t number;
    uint32_t worker_count;
    struct sim_life *life;
    struct sim_task *main;
    struct acd_shared *shared; /* of this life */
    struct redis_server *redis;
    struct sim_life *slots[SLOTS_MAX]; /* of the host that has this process' number */
    bool starting;
};

static struct process processes[PROCESSES_MAX];
static uint32_t count;
static const struct acd_settings *settings;
static struct redis_server *official;

/* ---- The running task's */

static struct process *current(void)
{
    for (uint32_t i = 0; i < count; i++)
        if (sim.task && processes[i].life == sim_task_life(sim.task))
            return &processes[i];
    return &processes[0];
}

uint32_t process_current(void)
{
    return current()->number;
}

uint32_t process_count(void)
{
    return count;
}

const char *process_host(void)
{
    return current()->host;
}

struct redis_server *process_redis(void)
{
    return current()->redis;
}

/* ---- A process' life */

/* The lowest number on the host that no living worker has. */
static int claim_slot(const struct process *process)
{
    struct sim_life **slots = processes[process->host[1] - '0'].slots;
    int slot = 0;

    while (slots[slot] && slots[slot]->alive)
        slot++;
    slots[slot] = process->life;
    return slot;
}

static void start(void *context, int64_t number);

static void start_later(struct process *process, int64_t delay_us)
{
    process->starting = true;
    sim_later(NULL, delay_us, start, process, 0);
}

static bool prepare(struct process *process, struct acd_shared *shared)
{
    char error[256];

    shared->settings = settings;
    acd_rulebook_init(&shared->rules);
    acd_rulebook_put(&shared->rules, acd_rules_new(settings));
    shared->topics = acd_topics_open(settings, error, sizeof(error));
    while (acd_topics_check(shared->topics, false, &shared->own, error, sizeof(error)) != ACD_CHECK_OK) {
        sim_sleep(LOOK_US);
        if (atomic_load(&shared->stop))
            return false;
    }
    return true;
}

static void serve(struct process *process, struct acd_shared *shared)
{
    struct acd_worker *workers[WORKERS_MAX];
    struct acd_pulse pulses[WORKERS_MAX] = {0};

    if (acd_rules_route(shared->rules.present, &shared->own, shared->topics))
        sim_fail("no memory");
    for (uint32_t i = 0; i < process->worker_count; i++) {
        workers[i] = acd_worker_start(shared, claim_slot(process), &pulses[i]);
        if (!workers[i])
            sim_fail("a worker does not start");
    }
    while (!atomic_load(&shared->stop))
        sim_sleep(60 * SECOND);
    for (uint32_t i = 0; i < process->worker_count; i++)
        acd_worker_join(workers[i]);
}

static void run_main(void *context)
{
    struct process *process = context;
    struct acd_shared *shared = process->shared;

    if (prepare(process, shared))
        serve(process, shared);
    acd_rulebook_destroy(&shared->rules);
    acd_topics_close(shared->topics);
    sim_say("ends");
    process->life->alive = false;
    redis_wire_forget(process->life);
    start_later(process, faults_ended() ? MS : sim_between(10 * MS, 3 * SECOND));
}

static void start(void *context, int64_t number)
{
    struct process *process = context;

    if (!process->starting)
        return;
    process->starting = false;
    process->life = acd_arena_calloc(&sim.memory, 1, sizeof(*process->life));
    process->shared = acd_arena_calloc(&sim.memory, 1, sizeof(*process->shared));
    sim_life_begin(process->life, process->name);
    process->main = sim_task_start(process->life, "", run_main, process);
    sim_say_of(process->name, "starts");
}

void process_begin(const struct process_options *options)
{
    bool one_host = sim_below(4) == 0;

    count = options->processes;
    settings = options->settings;
    official = redis_start(NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct process *process = &processes[i];

        *process = (struct process){
            .number = i, .worker_count = options->workers[i], .redis = official, .life = NULL};
        snprintf(process->name, sizeof(process->name), "p%u", i);
        snprintf(process->host, sizeof(process->host), "h%u", one_host ? 0 : i);
        start_later(process, sim_latency(50 * MS));
    }
}

/* ---- What befalls it */

static bool runs(const struct process *process)
{
    return process->life && process->life->alive;
}

void process_kill(uint32_t number)
{
    struct process *process = &processes[number];
    bool own = sim.task && sim_task_life(sim.task) == process->life;

    if (!runs(process))
        return;
    sim_say_of(process->name, "is killed");
    process->life->alive = false;
    redis_wire_forget(process->life);
    consumer_silence(process->life, true);
    start_later(process, sim_below(2) ? sim_between(10 * MS, SECOND) : sim_between(SECOND, 15 * SECOND));
    if (own)
        sim_abandon();
}

void process_ask_to_end(uint32_t number)
{
    struct process *process = &processes[number];

    if (!runs(process))
        return;
    sim_say_of(process->name, "is asked to end");
    atomic_store(&process->shared->stop, true);
    sim_wake(process->main);
}

void process_hold(void)
{
    for (uint32_t i = 0; i < count; i++) {
        process_kill(i);
        processes[i].starting = false;
    }
}

void process_release(void)
{
    for (uint32_t i = 0; i < count; i++)
        start_later(&processes[i], sim_between(MS, SECOND));
}

static void go_on(void *context, int64_t number)
{
    struct sim_life *life = context;

    if (!life->alive || !life->stopped)
        return;
    sim_say_of(life->name, "goes on");
    sim_life_go_on(life);
}

void process_stop(uint32_t number, int64_t us)
{
    struct process *process = &processes[number];

    if (!runs(process) || process->life->stopped)
        return;
    sim_say_of(process->name, "is stopped for %lld ms", (long long)(us / MS));
    sim_life_stop(process->life);
    consumer_silence(process->life, false);
    sim_later(NULL, us, go_on, process->life, 0);
    if (sim.task && sim_task_life(sim.task) == process->life)
        sim_sleep(1);
}

void process_heal(void)
{
    for (uint32_t i = 0; i < count; i++) {
        struct process *process = &processes[i];

        process->redis = official;
        if (process->starting)
            start(process, 0);
        if (!process->life)
            continue;
        if (process->life->alive && process->life->stopped)
            go_on(process->life, 0);
        for (uint32_t t = 0; t < process->life->task_count; t++) {
            sim_delay(process->life->tasks[t], 0);
            sim_wake(process->life->tasks[t]);
        }
    }
}

/* ---- Which Redis it finds */

struct redis_server *process_official(void)
{
    return official;
}

static void find_official(void *context, int64_t number)
{
    struct process *process = context;

    if (process->redis != official)
        sim_say_of(process->name, "finds %s under Redis' name", official->name);
    process->redis = official;
}

void process_appoint(struct redis_server *server, bool at_once)
{
    official = server;
    for (uint32_t i = 0; i < count; i++) {
        int64_t delay_us = at_once ? 0 : sim_between(0, sim_below(2) ? 100 * MS : 6 * SECOND);

        if (at_once)
            processes[i].redis = server;
        else
            sim_later(NULL, delay_us, find_official, &processes[i], 0);
    }
}
