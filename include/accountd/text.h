/* text.h: UTF-8, times and numbers as text. Pure. */
#ifndef ACCOUNTD_TEXT_H
#define ACCOUNTD_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/slice.h"

/* Bytes of "2026-11-22T20:09:08.123Z" and its NUL. */
#define ACD_TIME_BYTES 25

/* Times are kept within 1970-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z (contract, section 3). */
#define ACD_TIME_MAX_MS INT64_C(253402300799999)

/* The nearest time that can be written. */
int64_t acd_time_clamp(int64_t ms);

/* Writes ms since 1970 as ISO 8601 in UTC with milliseconds; ms is clamped. */
void acd_time_format(int64_t ms, char out[ACD_TIME_BYTES]);

/* Reads back what acd_time_format writes; false for anything else. */
bool acd_time_parse(struct acd_slice text, int64_t *ms);

/* A date that the calendar has, year 1 to 9999 (leap years as Gregorian). */
bool acd_date_valid(int year, int month, int day);

bool acd_utf8_valid(struct acd_slice text);

/* The largest length ≤ max at which the valid UTF-8 text can be cut between characters. */
size_t acd_utf8_cut(struct acd_slice text, size_t max);

/* True for U+0000–1F and U+007F–9F somewhere in valid UTF-8, but for newline and tab where allowed. */
bool acd_text_has_control(struct acd_slice text, bool allow_newline_and_tab);

/* Decimal text of the whole slice, optional minus; false when it is none or beyond int64. */
bool acd_int_parse(struct acd_slice text, int64_t *out);

/* Lower-case hex of n bytes and a NUL: out has 2n + 1 bytes. */
void acd_hex_format(const void *bytes, size_t n, char *out);

#endif
