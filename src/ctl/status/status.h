/* status.h: accountctl status: workers, lag, rates, exports, Redis and Kafka on one screen. */
#ifndef ACCOUNTD_CTL_STATUS_STATUS_H
#define ACCOUNTD_CTL_STATUS_STATUS_H

#include "../args.h"
#include "accountd/settings.h"

/* Checks what is asked for; mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_status_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Shows the state once, or on a terminal until somebody presses q or Ctrl-C. Shown once, UNREACHABLE says
 * that Kafka is out of reach, and FAILED that something else is not as it should be. */
enum acd_ctl_exit acd_ctl_status_run(const struct acd_settings *settings, const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));

#endif
