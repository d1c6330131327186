/* The first two powers share buckets of 1 us; from then on each power has as many buckets as the last. */
#include "latency.h"

static int bucket_of(int64_t us)
{
    int power = 0;
    int index;

    /* Down to FINE … 2 * FINE - 1. */
    while (us >> power >= 2 * ACD_CTL_LATENCY_FINE)
        power++;
    index = power * ACD_CTL_LATENCY_FINE + (int)(us >> power);
    return index < ACD_CTL_LATENCY_POWERS * ACD_CTL_LATENCY_FINE
               ? index
               : ACD_CTL_LATENCY_POWERS * ACD_CTL_LATENCY_FINE - 1;
}

/* The largest duration in a bucket. */
static int64_t bound_of(int index)
{
    int power = index < 2 * ACD_CTL_LATENCY_FINE ? 0 : index / ACD_CTL_LATENCY_FINE - 1;
    int64_t low = index - power * ACD_CTL_LATENCY_FINE;

    return ((low + 1) << power) - 1;
}

void acd_ctl_latency_add(struct acd_ctl_latency *latency, int64_t us)
{
    us = us < 0 ? 0 : us;
    latency->buckets[bucket_of(us)]++;
    latency->count++;
    if (us > latency->max_us)
        latency->max_us = us;
}

int64_t acd_ctl_latency_at(const struct acd_ctl_latency *latency, double part)
{
    int64_t wanted = (int64_t)(part * (double)latency->count);
    int64_t seen = 0;

    /* A part of one of them is that one. */
    wanted += (double)wanted < part * (double)latency->count;
    for (int i = 0; i < ACD_CTL_LATENCY_POWERS * ACD_CTL_LATENCY_FINE; i++) {
        seen += latency->buckets[i];
        if (seen >= wanted && seen)
            return bound_of(i) < latency->max_us ? bound_of(i) : latency->max_us;
    }
    return 0;
}
