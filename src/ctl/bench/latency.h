/* latency.h: percentiles of many durations in little memory.
 *
 * A duration is counted in a bucket that is at most 1/64 of it wide, so percentiles are that exact; the
 * largest is kept as it is. Pure.
 */
#ifndef ACCOUNTD_CTL_BENCH_LATENCY_H
#define ACCOUNTD_CTL_BENCH_LATENCY_H

#include <stdint.h>

/* Buckets within a power of two, and powers of two: up to 2^42 us, which is 50 days. */
#define ACD_CTL_LATENCY_FINE   64
#define ACD_CTL_LATENCY_POWERS 37

struct acd_ctl_latency {
    int64_t count;
    int64_t max_us;
    int64_t buckets[ACD_CTL_LATENCY_POWERS * ACD_CTL_LATENCY_FINE];
};

/* Negative durations count as 0, and those that are too long as the longest. */
void acd_ctl_latency_add(struct acd_ctl_latency *latency, int64_t us);

/* The least upper bound of a bucket that at least this part (0 to 1) of all are in or below; never more than
 * the largest. 0 where there are none. */
int64_t acd_ctl_latency_at(const struct acd_ctl_latency *latency, double part);

#endif
