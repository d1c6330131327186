/* Virtual time and tasks.
 *
 * A task's stack is entered as a context the first time, and by longjmp from then on: swapcontext asks the
 * kernel for the signal mask twice, which would be a fifth of a seed's time. */
#undef _FORTIFY_SOURCE /* its longjmp goes down one stack only */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "faults.h"
#include "sim.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES ((size_t)512 << 10)

struct sim sim;

struct event {
    int64_t at_us;
    uint64_t number; /* of two at one time the older comes first */
    struct sim_life *life;
    void (*run)(void *context, int64_t number);
    void *context;
    int64_t argument;
};

struct sim_held {
    struct event event;
    struct sim_held *next;
};

struct sim_task {
    char name[24];
    struct sim_life *life;
    void (*run)(void *);
    void *context;
    ucontext_t machine; /* before the first time */
    bool entered;
    jmp_buf where;
    void *shadow; /* AddressSanitizer's, while another stack is in use */
    bool done;
    uint64_t sleep; /* counts sleeps: a wake-up for an earlier one is none */
    int64_t held_until_us;
};

static struct event *heap; /* a binary heap */
static uint32_t heap_count;
static uint32_t heap_capacity;
static uint64_t event_number;
static jmp_buf scheduler;
static void *scheduler_shadow;
static const void *scheduler_stack;
static size_t scheduler_stack_bytes;

/* ---- Events */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

static void push(struct event event)
{
    uint32_t at = heap_count++;

    if (at == heap_capacity) {
        heap_capacity = heap_capacity ? 2 * heap_capacity : 256;
        heap = realloc(heap, heap_capacity * sizeof(*heap));
        if (!heap)
            abort();
    }
    for (; at > 0 && is_before(&event, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = event;
}

static struct event pop(void)
{
    struct event first = heap[0];
    struct event last = heap[--heap_count];
    uint32_t at = 0;
    uint32_t child;

    while ((child = 2 * at + 1) < heap_count) {
        child += child + 1 < heap_count && is_before(&heap[child + 1], &heap[child]);
        if (!is_before(&heap[child], &last))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

void sim_later(struct sim_life *life, int64_t delay_us, void (*run)(void *, int64_t), void *context,
               int64_t number)
{
    push((struct event){sim.now_us + delay_us, event_number++, life, run, context, number});
}

bool sim_advance(void)
{
    struct event event;
    struct sim_held *held;

    if (heap_count == 0)
        return false;
    event = pop();
    sim.now_us = event.at_us;
    if (event.life && !event.life->alive)
        return true;
    if (!event.life || !event.life->stopped) {
        event.run(event.context, event.argument);
        return true;
    }
    held = acd_arena_alloc(&sim.memory, sizeof(*held));
    *held = (struct sim_held){event, NULL};
    *event.life->held_tail = held;
    event.life->held_tail = &held->next;
    return true;
}

/* ---- Lives */

void sim_life_begin(struct sim_life *life, const char *name)
{
    *life = (struct sim_life){.alive = true};
    snprintf(life->name, sizeof(life->name), "%s", name);
    life->held_tail = &life->held;
}

void sim_life_stop(struct sim_life *life)
{
    life->stopped = true;
}

void sim_life_go_on(struct sim_life *life)
{
    struct sim_held *held = life->held;

    life->stopped = false;
    life->held = NULL;
    life->held_tail = &life->held;
    for (; held; held = held->next)
        sim_later(life, (int64_t)sim_below(2000), held->event.run, held->event.context, held->event.argument);
}

/* ---- Stacks: AddressSanitizer must know which one is in use */

/* `shadow`: where that of the stack to leave is kept; NULL: for good. */
static void leave_stack(void **shadow, const void *stack, size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(shadow, stack, bytes);
#endif
}

/* On the stack that was gone to, with what was kept of it; `from` and `bytes`: the one before, or NULL. */
static void enter_stack(void *shadow, const void **from, size_t *bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(shadow, from, bytes);
#endif
}

/* ---- Tasks */

static void enter(void)
{
    struct sim_task *task = sim.task;

    enter_stack(NULL, &scheduler_stack, &scheduler_stack_bytes);
    task->run(task->context);
    task->done = true;
    sim_abandon();
}

static void resume(void *context, int64_t sleep)
{
    struct sim_task *task = context;

    if (task->done || task->sleep != (uint64_t)sleep)
        return;
    if (task->held_until_us > sim.now_us) {
        sim_later(task->life, task->held_until_us - sim.now_us, resume, task, sleep);
        return;
    }
    task->sleep++;
    sim.task = task;
    leave_stack(&scheduler_shadow, task->machine.uc_stack.ss_sp, STACK_BYTES);
    if (_setjmp(scheduler) == 0) {
        if (task->entered)
            _longjmp(task->where, 1);
        task->entered = true;
        setcontext(&task->machine);
        abort();
    }
    enter_stack(scheduler_shadow, NULL, NULL);
    sim.task = NULL;
}

struct sim_task *sim_task_start(struct sim_life *life, const char *name, void (*run)(void *), void *context)
{
    struct sim_task *task = acd_arena_calloc(&sim.memory, 1, sizeof(*task));

    if (life->task_count == sizeof(life->tasks) / sizeof(life->tasks[0]))
        abort();
    *task = (struct sim_task){.life = life, .run = run, .context = context};
    snprintf(task->name, sizeof(task->name), "%s%s", life->name, name);
    getcontext(&task->machine);
    task->machine.uc_stack.ss_size = STACK_BYTES;
    task->machine.uc_stack.ss_sp =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (task->machine.uc_stack.ss_sp == MAP_FAILED)
        abort();
    makecontext(&task->machine, enter, 0);
    life->tasks[life->task_count++] = task;
    sim_later(life, sim_latency(20), resume, task, 0);
    return task;
}

const char *sim_task_name(const struct sim_task *task)
{
    return task->name;
}

struct sim_life *sim_task_life(const struct sim_task *task)
{
    return task->life;
}

bool sim_task_done(const struct sim_task *task)
{
    return task->done;
}

void sim_abandon(void)
{
    leave_stack(NULL, scheduler_stack, scheduler_stack_bytes);
    _longjmp(scheduler, 1);
}

void sim_sleep(int64_t us)
{
    struct sim_task *task = sim.task;

    if (!task)
        abort();
    sim_later(task->life, us > 0 ? us : 1, resume, task, (int64_t)task->sleep);
    leave_stack(&task->shadow, scheduler_stack, scheduler_stack_bytes);
    if (_setjmp(task->where) == 0)
        _longjmp(scheduler, 1);
    enter_stack(task->shadow, NULL, NULL);
    if (sim.failure[0])
        sim_abandon();
}

void sim_wake(struct sim_task *task)
{
    sim_later(task->life, sim_latency(10), resume, task, (int64_t)task->sleep);
}

void sim_delay(struct sim_task *task, int64_t us)
{
    task->held_until_us = sim.now_us + us;
}

void sim_step(int64_t usual_us)
{
    sim_sleep(sim_latency(usual_us));
    faults_step();
}
