/* log.h: one line an event on stderr, for people and for journald.
 *
 * Lines begin with journald's <priority> when stderr is a journal or a pipe of systemd ($JOURNAL_STREAM is
 * set), with a time otherwise. Text that came from outside is written with control characters and bytes
 * that are no UTF-8 escaped: input cannot forge a line. Safe to call from any thread.
 *
 * Of one kind (one format string) 50 lines are written in ten seconds; how many more there were is told
 * ten seconds later, with the last of them. Debug lines are not limited.
 */
#ifndef ACCOUNTD_LOG_H
#define ACCOUNTD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/slice.h"

enum acd_log_level { ACD_LOG_ERROR, ACD_LOG_WARNING, ACD_LOG_INFO, ACD_LOG_DEBUG };
enum acd_log_format { ACD_LOG_TEXT, ACD_LOG_JSON };

/* What a line says beside its message, as NAME="TEXT" or NAME=NUMBER, or as a member of the JSON object. An
 * empty text is left out, a long one is cut. Names are ours, and other than at, level and message. */
struct acd_log_field {
    const char *name;
    bool is_number;
    int64_t number;
    struct acd_slice text;
};

static inline struct acd_log_field acd_log_text(const char *name, struct acd_slice text)
{
    return (struct acd_log_field){.name = name, .text = text};
}

static inline struct acd_log_field acd_log_number(const char *name, int64_t number)
{
    return (struct acd_log_field){.name = name, .is_number = true, .number = number};
}

/* "error" "warning" "info" "debug" and "text" "json"; false for any other. */
bool acd_log_level_parse(const char *text, enum acd_log_level *out);
bool acd_log_format_parse(const char *text, enum acd_log_format *out);

/* To be called before threads start. Without it: info, text. */
void acd_log_setup(enum acd_log_level level, enum acd_log_format format);

/* Changes the level. From any thread. */
void acd_log_level(enum acd_log_level level);

/* True when lines of the level are written. */
bool acd_log_wants(enum acd_log_level level);

void acd_log(enum acd_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

void acd_log_fields(enum acd_log_level level, const struct acd_log_field *fields, uint32_t count,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Tells of lines that were suppressed, when it is time; `now`: of all of them. To be called now and then. */
void acd_log_tell_suppressed(bool now);

#endif
