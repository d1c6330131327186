/* print.h: what a bench has found, for people and for scripts. */
#ifndef ACCOUNTD_CTL_BENCH_PRINT_H
#define ACCOUNTD_CTL_BENCH_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "load.h"

struct acd_ctl_bench_result {
    const struct acd_ctl_load *load;
    const char *run; /* in the names of its accounts */
    int64_t rate;    /* that was asked for, a second */
    double seconds;  /* of posting */
    bool interrupted;
    bool deleted; /* its accounts */
};

/* A line of what has come since the last one, and forgets it. */
void acd_ctl_bench_progress(FILE *out, struct acd_ctl_load *load, int64_t second);

void acd_ctl_bench_print(FILE *out, const struct acd_ctl_bench_result *result);

/* One object, and a newline. Returns 0, or -1 without memory. */
int acd_ctl_bench_json(FILE *out, const struct acd_ctl_bench_result *result)
    __attribute__((warn_unused_result));

#endif
