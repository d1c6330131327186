/* moment.h: "since when", as people write it. */
#ifndef ACCOUNTD_CTL_MOMENT_H
#define ACCOUNTD_CTL_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Reads a duration before `now_ms` (90s, 15m, 2h, 7d) or a time in UTC: 2026-11-22, 2026-11-22T20:09,
 * 2026-11-22T20:09:08 or 2026-11-22T20:09:08.123, with or without Z, a blank allowed for T. Gives ms since
 * 1970; false for anything else. */
bool acd_ctl_moment_read(const char *text, int64_t now_ms, int64_t *out);

#endif
