/* The thread that looks at the pulses. */
#include "accountd/watch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/service.h"

#define LOOK_EVERY_MS 250

/* What a stop is given more at each look; a thread that gets stuck on the way has this long, and no more. */
#define EXTEND_BY_MS 15000

struct acd_watch {
    pthread_t thread;
    struct acd_pulse *pulses;
    uint32_t count;
    bool late; /* at the last look */
    bool fed;  /* systemd wants to be told */
    atomic_bool stopping;
    bool ending; /* guarded, and told, by the next two */
    pthread_mutex_t lock;
    pthread_cond_t told;
};

void acd_pulse_beat(struct acd_pulse *pulse, int64_t within_ms)
{
    atomic_store_explicit(&pulse->due_ms, acd_clock_ms() + within_ms, memory_order_relaxed);
}

void acd_pulse_rest(struct acd_pulse *pulse)
{
    atomic_store_explicit(&pulse->due_ms, 0, memory_order_relaxed);
}

/* True when systemd wants this very process to feed a watchdog, as sd_watchdog_enabled(3) has it. */
static bool has_watchdog(void)
{
    const char *period = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");

    return period && *period && (!pid || strtol(pid, NULL, 10) == (long)getpid());
}

int64_t acd_pulse_late_ms(const struct acd_pulse *pulse)
{
    int64_t due = atomic_load_explicit(&pulse->due_ms, memory_order_relaxed);
    int64_t late = acd_clock_ms() - due;

    return due == 0 || late < 0 ? 0 : late;
}

/* By how much the latest one is late, or 0; `which` is its number. */
static int64_t lateness(const struct acd_watch *watch, uint32_t *which)
{
    int64_t latest = 0;
    int64_t stuck = 0;

    for (uint32_t i = 0; i < watch->count; i++) {
        int64_t late = acd_pulse_late_ms(&watch->pulses[i]);

        stuck += late > 0;
        if (late <= latest)
            continue;
        latest = late;
        *which = i;
    }
    acd_metric_set(ACD_METRIC_STUCK_THREADS, stuck);
    return latest;
}

static void look(struct acd_watch *watch)
{
    uint32_t which = 0;
    int64_t late = lateness(watch, &which);

    acd_log_tell_suppressed(false);
    if (late > 0 && !watch->late)
        acd_log(ACD_LOG_ERROR, "thread %u of %u makes no progress: the watchdog is not fed until it does",
                which + 1, watch->count);
    else if (late == 0 && watch->late)
        acd_log(ACD_LOG_WARNING, "all threads make progress again");
    watch->late = late > 0;
    if (watch->late)
        return;
    if (watch->fed)
        acd_notify("WATCHDOG=1");
    if (atomic_load(&watch->stopping))
        acd_notify("EXTEND_TIMEOUT_USEC=%lld", 1000LL * EXTEND_BY_MS);
}

static void *run(void *context)
{
    struct acd_watch *watch = context;
    struct timespec until;

    pthread_setname_np(pthread_self(), "watch");
    pthread_mutex_lock(&watch->lock);
    while (!watch->ending) {
        look(watch);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_EVERY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&watch->told, &watch->lock, &until);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

struct acd_watch *acd_watch_start(struct acd_pulse *pulses, uint32_t count)
{
    struct acd_watch *watch = calloc(1, sizeof(*watch));
    pthread_condattr_t attributes;

    if (!watch)
        return NULL;
    watch->pulses = pulses;
    watch->count = count;
    watch->fed = has_watchdog();
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->told, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&watch->thread, NULL, run, watch) == 0)
        return watch;
    free(watch);
    return NULL;
}

void acd_watch_stopping(struct acd_watch *watch)
{
    atomic_store(&watch->stopping, true);
}

void acd_watch_end(struct acd_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->ending = true;
    pthread_cond_signal(&watch->told);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    acd_log_tell_suppressed(true);
    pthread_cond_destroy(&watch->told);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}
