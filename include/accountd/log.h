/* log.h: one line an event on stderr, for people and for journald.
 *
 * Lines begin with journald's <priority> when stderr is a journal or a pipe of systemd ($JOURNAL_STREAM is
 * set), with a time otherwise. Text that came from outside is written with control characters and bytes
 * that are no UTF-8 escaped: input cannot forge a line. Safe to call from any thread.
 */
#ifndef ACCOUNTD_LOG_H
#define ACCOUNTD_LOG_H

#include <stdbool.h>

enum acd_log_level { ACD_LOG_ERROR, ACD_LOG_WARNING, ACD_LOG_INFO, ACD_LOG_DEBUG };
enum acd_log_format { ACD_LOG_TEXT, ACD_LOG_JSON };

/* "error" "warning" "info" "debug" and "text" "json"; false for any other. */
bool acd_log_level_parse(const char *text, enum acd_log_level *out);
bool acd_log_format_parse(const char *text, enum acd_log_format *out);

/* To be called before threads start. Without it: info, text. */
void acd_log_setup(enum acd_log_level level, enum acd_log_format format);

/* Changes the level. From any thread. */
void acd_log_level(enum acd_log_level level);

void acd_log(enum acd_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
