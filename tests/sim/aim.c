/* Faults that happen where they hurt. */
#include "aim.h"

#include <stdio.h>
#include <string.h>

#include "sim.h"
#include "upheaval.h"

#define AIMS_MAX 8

struct aim {
    enum fault fault;
    const char *text;
    uint32_t percent;
    uint32_t left;
    bool armed;
    uint32_t steps;        /* until it happens */
    struct sim_task *task; /* whose; NULL: anybody's */
};

static struct aim aims[AIMS_MAX];
static uint32_t aim_count;

/* ---- The kinds of faults */

static bool is_of_calls(enum fault fault)
{
    switch (fault) {
    case FAULT_BREAK:
    case FAULT_LATE:
    case FAULT_ASK:
    case FAULT_ANNOUNCE:
    case FAULT_TRANSACTION:
    case FAULT_END:
    case FAULT_MARKERS:
        return true;
    default:
        return false;
    }
}

static bool is_of_tasks(enum fault fault)
{
    return fault == FAULT_KILL || fault == FAULT_STOP || fault == FAULT_PAUSE;
}

bool aim_add(char *text)
{
    char *colon = strchr(text, ':');
    int fault = 0;

    if (!colon || !colon[1] || aim_count == AIMS_MAX)
        return false;
    while (fault < FAULT_COUNT && (strlen(fault_name((enum fault)fault)) != (size_t)(colon - text) ||
                                   memcmp(text, fault_name((enum fault)fault), (size_t)(colon - text)) != 0))
        fault++;
    if (fault == FAULT_COUNT || (!is_of_calls((enum fault)fault) && !upheaval_is((enum fault)fault)))
        return false;
    aims[aim_count++] = (struct aim){.fault = (enum fault)fault, .text = colon + 1};
    return true;
}

bool aim_any(void)
{
    return aim_count > 0;
}

bool aim_names(enum fault fault)
{
    for (uint32_t i = 0; i < aim_count; i++)
        if (aims[i].fault == fault)
            return true;
    return false;
}

void aim_begin(void)
{
    static const uint32_t percents[] = {10, 30, 60, 100};

    for (uint32_t i = 0; i < aim_count; i++) {
        aims[i].percent = percents[sim_below(4)];
        aims[i].left = 1 + sim_below(3);
        aims[i].armed = false;
    }
}

/* ---- Hitting */

static int64_t some_delay(void)
{
    static const int64_t most[] = {1, 30 * MS, SECOND, 6 * SECOND};

    return sim_between(1, most[sim_below(4)]);
}

static void strike(void *context, int64_t fault)
{
    if (!faults_ended())
        upheaval_do((enum fault)fault);
}

static void arm(struct aim *aim)
{
    aim->left--;
    if (!is_of_calls(aim->fault) && !(is_of_tasks(aim->fault) && sim.task)) {
        sim_later(NULL, some_delay(), strike, NULL, aim->fault);
        return;
    }
    aim->armed = true;
    aim->task = sim.task;
    aim->steps = sim_below(3) ? 0 : sim_below(6);
}

/* True when the line holds the text's parts one after the other. */
static bool holds(const char *line, const char *text)
{
    char part[128];

    for (bool more = true; more; text += more) {
        size_t len = strcspn(text, "*");

        snprintf(part, sizeof(part), "%.*s", (int)len, text);
        line = strstr(line, part);
        if (!line)
            return false;
        line += strlen(part);
        text += len;
        more = *text != '\0';
    }
    return true;
}

void aim_see(const char *line)
{
    for (uint32_t i = 0; i < aim_count && !faults_ended(); i++) {
        struct aim *aim = &aims[i];

        if (aim->left > 0 && !aim->armed && holds(line, aim->text) && sim_chance(100 * aim->percent))
            arm(aim);
    }
}

void aim_step(void)
{
    for (uint32_t i = 0; i < aim_count && !faults_ended(); i++) {
        struct aim *aim = &aims[i];

        if (!aim->armed || aim->task != sim.task || is_of_calls(aim->fault) || aim->steps-- > 0)
            continue;
        aim->armed = false;
        upheaval_do_here(aim->fault);
    }
}

bool aim_hits(enum fault fault)
{
    for (uint32_t i = 0; i < aim_count && !faults_ended(); i++)
        if (aims[i].armed && aims[i].fault == fault && (!aims[i].task || aims[i].task == sim.task)) {
            aims[i].armed = false;
            return true;
        }
    return false;
}
