/* Which faults a run has, and when. */
#include "faults.h"

#include "aim.h"
#include "process.h"
#include "redis.h"
#include "sim.h"
#include "upheaval.h"

static struct {
    bool has[FAULT_COUNT];
    enum fault chosen[FAULT_COUNT]; /* those that befall a task, a process or a server at some step */
    uint32_t chosen_count;
    uint32_t step_rate; /* in ten thousand steps */
    uint32_t call_rate; /* in ten thousand calls to Redis */
    uint32_t scale;     /* percent of the usual chance of what may fail in Kafka */
    uint32_t left;
    int64_t pause_us; /* between two that come of themselves */
    bool ended;
} plan;

static const struct {
    const char *name;
    const char *text;
} rules[FAULT_COUNT] = {
#define X(id, name, text) {name, text},
    FAULTS(X)
#undef X
};

const char *fault_name(enum fault fault)
{
    return rules[fault].name;
}

const char *fault_text(enum fault fault)
{
    return rules[fault].text;
}

/* ---- The plan */

static void choose(uint64_t allowed, uint32_t percent)
{
    plan.chosen_count = 0;
    for (int i = 0; i < FAULT_COUNT; i++) {
        plan.has[i] = sim_below(100) < percent && (allowed >> i & 1);
        if (plan.has[i] && upheaval_is((enum fault)i))
            plan.chosen[plan.chosen_count++] = (enum fault)i;
    }
}

void faults_begin(uint64_t allowed)
{
    static const uint32_t percents[] = {8, 15, 30, 50, 100};
    static const uint32_t step_rates[] = {10, 40, 120, 300};
    static const uint32_t call_rates[] = {30, 100, 300, 1000};

    choose(allowed, percents[sim_below(5)]);
    plan.step_rate = step_rates[sim_below(4)];
    plan.call_rate = call_rates[sim_below(4)];
    plan.scale = 20 + sim_below(150);
    plan.left = 1 + sim_below(sim_below(2) ? 6 : 30);
    plan.pause_us = sim_between(SECOND / 5, 6 * SECOND);
    plan.ended = false;
    aim_begin();
    for (int i = 0; i < FAULT_COUNT; i++)
        if (plan.has[i])
            sim_say_of("sim", "fault %s: %s", fault_name((enum fault)i), fault_text((enum fault)i));
}

bool faults_has(enum fault fault)
{
    return plan.has[fault];
}

void faults_end(void)
{
    plan.ended = true;
}

bool faults_ended(void)
{
    return plan.ended;
}

/* ---- When */

static void strike(void)
{
    if (plan.ended || plan.left == 0 || plan.chosen_count == 0)
        return;
    plan.left--;
    upheaval_do(plan.chosen[sim_below(plan.chosen_count)]);
}

void faults_step(void)
{
    aim_step();
    if (!plan.ended && plan.left > 0 && sim_chance(plan.step_rate))
        strike();
}

static void strike_again(void *context, int64_t number)
{
    strike();
    faults_schedule();
}

void faults_schedule(void)
{
    if (!plan.ended)
        sim_later(NULL, sim_between(1, 2 * plan.pause_us), strike_again, NULL, 0);
}

/* ---- At a call */

enum fault_of_call faults_of_call(void)
{
    if (plan.ended)
        return CALL_IS_FINE;
    if (aim_hits(FAULT_LATE))
        return CALL_IS_LATE;
    if (aim_hits(FAULT_BREAK))
        return sim_below(2) ? CALL_IS_LOST : ANSWER_IS_LOST;
    if (plan.has[FAULT_BREAK] && sim_chance(plan.call_rate))
        return sim_below(2) ? CALL_IS_LOST : ANSWER_IS_LOST;
    if (plan.has[FAULT_LATE] && sim_chance(plan.call_rate))
        return CALL_IS_LATE;
    return CALL_IS_FINE;
}

bool faults_refuse_connection(void)
{
    return !plan.ended && plan.has[FAULT_REFUSE] && sim_chance(1000);
}

int64_t faults_late_us(void)
{
    switch (sim_below(3)) {
    case 0:
        return sim_between(1, 2 * MS);
    case 1:
        return sim_between(1, 500 * MS);
    default:
        return sim_between(1, 8 * SECOND);
    }
}

bool faults_hit(enum fault fault, uint32_t in_ten_thousand)
{
    if (plan.ended)
        return false;
    return aim_hits(fault) || (plan.has[fault] && sim_chance(in_ten_thousand * plan.scale / 100));
}
