/* tail.h: accountctl tail: a topic's records as they come. */
#ifndef ACCOUNTD_CTL_TOPICS_TAIL_H
#define ACCOUNTD_CTL_TOPICS_TAIL_H

#include "../args.h"
#include "accountd/settings.h"

/* Checks what is asked for; mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_tail_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Shows records until it is interrupted, which is OK, or --count are shown. */
enum acd_ctl_exit acd_ctl_tail(const struct acd_settings *settings, const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));

#endif
