/* What accountd asks of the system: time, threads, randomness, a name for the host, a place for its log. The
 * linker puts these in the place of the system's own. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "accountd/log.h"
#include "process.h"
#include "sim.h"

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
ssize_t __wrap_getrandom(void *out, size_t bytes, unsigned int flags);
int __wrap_gethostname(char *out, size_t bytes);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);
int __wrap_pthread_join(pthread_t thread, void **result);
void __wrap_acd_log(enum acd_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_acd_log_fields(enum acd_log_level level, const struct acd_log_field *fields, uint32_t count,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    out->tv_sec = sim.now_us / SECOND;
    out->tv_nsec = sim.now_us % SECOND * 1000;
    return 0;
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    sim_sleep(wanted->tv_sec * SECOND + wanted->tv_nsec / 1000);
    return 0;
}

ssize_t __wrap_getrandom(void *out, size_t bytes, unsigned int flags)
{
    unsigned char *at = out;

    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(sim_draw() >> 32);
    return (ssize_t)bytes;
}

int __wrap_gethostname(char *out, size_t bytes)
{
    snprintf(out, bytes, "%s", process_host());
    return 0;
}

/* ---- Threads */

struct thread {
    void *(*run)(void *);
    void *context;
};

static void run_thread(void *context)
{
    struct thread *thread = context;

    thread->run(thread->context);
}

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context)
{
    struct thread *thread = acd_arena_alloc(&sim.memory, sizeof(*thread));
    struct sim_life *life = sim_task_life(sim.task);
    char name[8];

    *thread = (struct thread){run, context};
    snprintf(name, sizeof(name), ".%u", life->task_count - 1);
    *out = (pthread_t)(uintptr_t)sim_task_start(life, name, run_thread, thread);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    const struct sim_task *task = (const struct sim_task *)(uintptr_t)thread;

    while (!sim_task_done(task))
        sim_sleep(MS);
    return 0;
}

/* ---- The log */

/* A halted partition waits for an operator, and no fault here is one that needs one. */
static bool is_halt(const char *text)
{
    return strstr(text, " is halted: ") != NULL;
}

static void say(enum acd_log_level level, const char *format, va_list args)
{
    static const char *const names[] = {"ERROR", "WARNING", "info", "debug"};
    char text[2048];

    vsnprintf(text, sizeof(text), format, args);
    sim_say("log %s: %s", names[level], text);
    if (level == ACD_LOG_ERROR && is_halt(text))
        sim_fail("%s", text);
}

void __wrap_acd_log(enum acd_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(level, format, args);
    va_end(args);
}

void __wrap_acd_log_fields(enum acd_log_level level, const struct acd_log_field *fields, uint32_t count,
                           const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(level, format, args);
    va_end(args);
}
