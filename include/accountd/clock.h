/* clock.h: how much time has passed. Not for the core: a decision's time is the record's. */
#ifndef ACCOUNTD_CLOCK_H
#define ACCOUNTD_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds that never go back, since some point in the past. */
static inline int64_t acd_clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t acd_clock_ms(void)
{
    return acd_clock_us() / 1000;
}

/* Milliseconds since 1970, as far as this machine knows. */
static inline int64_t acd_clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void acd_clock_sleep_ms(int64_t ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

#endif
