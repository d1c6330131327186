/* log_limit.h: how many lines of one kind are written. */
#ifndef ACCOUNTD_OPS_LOG_LIMIT_H
#define ACCOUNTD_OPS_LOG_LIMIT_H

#include "accountd/log.h"

/* What is remembered of a line that was suppressed. */
#define ACD_LOG_SAMPLE_BYTES 200

struct acd_log_suppressed {
    enum acd_log_level level;
    uint32_t count;
    char last[ACD_LOG_SAMPLE_BYTES];
};

/* True when a line of this kind may be written. `kind` is a string that lives as long as the process, and is
 * told from others by its address. */
bool acd_log_limit(const char *kind, enum acd_log_level level, const char *text);

/* The next kind that suppressed a line ten seconds ago (`now`: at any time), and how many since. False: there
 * is none. */
bool acd_log_limit_over(bool now, struct acd_log_suppressed *out);

#endif
