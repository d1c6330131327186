/* bench.h: accountctl bench: a load, and how long its replies take. */
#ifndef ACCOUNTD_CTL_BENCH_BENCH_H
#define ACCOUNTD_CTL_BENCH_BENCH_H

#include "../args.h"
#include "accountd/settings.h"

/* Checks what is asked for; mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_bench_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Makes accounts of its own in the app, posts commands to them, tells how long the replies took, and deletes
 * the accounts. TIMEOUT: some commands had no reply. */
enum acd_ctl_exit acd_ctl_bench(const struct acd_settings *settings, const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));

#endif
