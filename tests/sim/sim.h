/* sim.h: the ground that a simulated run stands on: virtual time, tasks, randomness, the trace.
 *
 * One kernel thread runs everything. A task is what would be a thread; it runs until it sleeps, and every
 * call into a simulated server is a sleep. Which task goes on next is a matter of the seed, and so is what
 * breaks meanwhile. The memory of a run is never given back: a run is a process of its own.
 */
#ifndef ACCOUNTD_SIM_H
#define ACCOUNTD_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/arena.h"
#include "accountd/slice.h"

#define MS     INT64_C(1000)
#define SECOND (1000 * MS)

struct sim_life;
struct sim_task;

struct sim {
    uint64_t seed;
    uint64_t random;
    bool trace;
    bool said; /* lines are made: for a trace, or for faults that are aimed at them */
    int64_t now_us;
    struct sim_task *task; /* NULL: the scheduler itself */
    struct acd_arena memory;
    char failure[4096]; /* the first thing that is wrong, or "" */
};

extern struct sim sim;

/* ---- Randomness */

uint64_t sim_draw(void);
uint32_t sim_below(uint32_t limit);
int64_t sim_between(int64_t low, int64_t high); /* both may come */
bool sim_chance(uint32_t in_ten_thousand);

/* How long something takes that takes so long most often: now and then ten or a hundred times that. */
int64_t sim_latency(int64_t usual_us);

/* ---- What is wrong, and what happens */

/* Ends the run; the first reason is the one that is told. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line of the trace, said of the running task, or of `who`. Without a trace or an aim the
 * arguments are not looked at: to describe each call would take longer than to do it. */
#define sim_say(...)                                                                                         \
    do {                                                                                                     \
        if (sim.said)                                                                                        \
            sim_trace(NULL, __VA_ARGS__);                                                                    \
    } while (0)
#define sim_say_of(who, ...)                                                                                 \
    do {                                                                                                     \
        if (sim.said)                                                                                        \
            sim_trace(who, __VA_ARGS__);                                                                     \
    } while (0)
void sim_trace(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes as they can stand in a line: at most `max` of them. */
const char *sim_readable(struct acd_slice bytes, size_t max);

/* ---- Time */

/* Calls `run` later. Of a life that has ended by then nothing happens; where it is stopped, it happens when
 * it goes on. `life` may be NULL. */
void sim_later(struct sim_life *life, int64_t delay_us, void (*run)(void *context, int64_t number),
               void *context, int64_t number);

/* Lets the next thing happen that is due. False when nothing ever will. */
bool sim_advance(void);

/* ---- Tasks */

struct sim_task *sim_task_start(struct sim_life *life, const char *name, void (*run)(void *), void *context);
const char *sim_task_name(const struct sim_task *task);
struct sim_life *sim_task_life(const struct sim_task *task);
bool sim_task_done(const struct sim_task *task);

/* For the running task. */
void sim_sleep(int64_t us);
void sim_wake(struct sim_task *task);              /* ends its sleep */
_Noreturn void sim_abandon(void);                  /* its life has ended */
void sim_delay(struct sim_task *task, int64_t us); /* it is not run for so long, whatever wakes it */

/* A moment of a call: others run, and something may break. */
void sim_step(int64_t usual_us);

/* ---- A life: one process from its start to its end */

struct sim_held; /* what is to happen when it goes on */

struct sim_life {
    char name[16];
    bool alive;
    bool stopped; /* SIGSTOP */
    struct sim_held *held;
    struct sim_held **held_tail;
    struct sim_task *tasks[8];
    uint32_t task_count;
};

void sim_life_begin(struct sim_life *life, const char *name);
void sim_life_stop(struct sim_life *life);
void sim_life_go_on(struct sim_life *life);

#endif
