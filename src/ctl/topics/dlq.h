/* dlq.h: accountctl dlq: the dead letters, to be looked at and posted again. */
#ifndef ACCOUNTD_CTL_TOPICS_DLQ_H
#define ACCOUNTD_CTL_TOPICS_DLQ_H

#include "../args.h"
#include "accountd/settings.h"

/* Checks what is asked for; mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_dlq_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Does it. Returns how accountctl is to end, after writing to stderr what went wrong. */
enum acd_ctl_exit acd_ctl_dlq(const struct acd_settings *settings, const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));

/* A place in the dead-letter topic. */
struct acd_ctl_position {
    int32_t partition;
    int64_t offset;
};

/* Reads PARTITION:OFFSET; false when it is none. */
bool acd_ctl_position_read(const char *text, struct acd_ctl_position *out);

/* False, after saying so, where --code is none that accountd has. */
bool acd_ctl_code_check(const char *code);

#endif
