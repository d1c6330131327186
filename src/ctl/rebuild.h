/* rebuild.h: restores Redis from the changelog on demand, as a member of accountd's consumer group. */
#ifndef ACCOUNTD_CTL_REBUILD_H
#define ACCOUNTD_CTL_REBUILD_H

#include "accountd/settings.h"
#include "args.h"

/* Checks what is missing on the command line; mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_rebuild_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Says on stdout what came of it, and on a terminal how far it is. */
enum acd_ctl_exit acd_ctl_rebuild(const struct acd_settings *settings, const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));

#endif
