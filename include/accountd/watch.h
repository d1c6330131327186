/* watch.h: whether the threads make progress, and what systemd is told of it.
 *
 * A thread beats: it says within what time it will do so again. A thread is stuck when that time is over.
 * What waits for a server waits for a bounded time and beats before each try, so that a server that is away
 * is no reason to end the process.
 *
 * A thread of its own looks at all pulses. While none is late it feeds systemd's watchdog (WatchdogSec=), and
 * lengthens the time for a stop that is under way; else it feeds nothing and says in the log which one is
 * late. How many are is a metric.
 */
#ifndef ACCOUNTD_WATCH_H
#define ACCOUNTD_WATCH_H

#include <stdatomic.h>
#include <stdint.h>

/* What a turn of ordinary work may take: several calls to Redis, of 3 s each when it hangs. */
#define ACD_PULSE_WORK_MS 20000

/* What a conversation with Kafka may take that cannot be interrupted: several steps of 15 s each. */
#define ACD_PULSE_TALK_MS 180000

struct acd_pulse {
    _Atomic int64_t due_ms; /* 0: at rest, not looked at */
};

/* The calling thread lives, and will beat again within so many milliseconds. */
void acd_pulse_beat(struct acd_pulse *pulse, int64_t within_ms);

/* There is nothing to be expected until the next beat. */
void acd_pulse_rest(struct acd_pulse *pulse);

struct acd_watch;

/* Looks after `count` pulses, which are at rest and outlive it. Returns NULL without memory or threads. */
struct acd_watch *acd_watch_start(struct acd_pulse *pulses, uint32_t count);

/* By how much the thread of the pulse is late, or 0 when it is not. From any thread. */
int64_t acd_pulse_late_ms(const struct acd_pulse *pulse);

/* A stop has begun: systemd's patience is asked for as long as there is progress. */
void acd_watch_stopping(struct acd_watch *watch);

/* NULL is accepted. */
void acd_watch_end(struct acd_watch *watch);

#endif
