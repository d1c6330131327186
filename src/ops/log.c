/* Lines for people and for journald. */
#include "accountd/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accountd/metrics.h"
#include "log_limit.h"
#include "log_line.h"

#define TEXT_BYTES 2048

static const char *const format_names[] = {"text", "json"};

static atomic_int threshold = ACD_LOG_INFO;
static enum acd_log_format log_format = ACD_LOG_TEXT;

static bool find_name(const char *const *names, size_t count, const char *text, size_t *out)
{
    for (*out = 0; *out < count; ++*out)
        if (strcmp(names[*out], text) == 0)
            return true;
    return false;
}

bool acd_log_level_parse(const char *text, enum acd_log_level *out)
{
    size_t i;
    bool found = find_name(acd_log_level_names, ACD_LOG_DEBUG + 1, text, &i);

    if (found)
        *out = (enum acd_log_level)i;
    return found;
}

bool acd_log_format_parse(const char *text, enum acd_log_format *out)
{
    size_t i;
    bool found = find_name(format_names, sizeof(format_names) / sizeof(format_names[0]), text, &i);

    if (found)
        *out = (enum acd_log_format)i;
    return found;
}

void acd_log_setup(enum acd_log_level level, enum acd_log_format format)
{
    atomic_store(&threshold, (int)level);
    log_format = format;
}

void acd_log_level(enum acd_log_level level)
{
    atomic_store(&threshold, (int)level);
}

bool acd_log_wants(enum acd_log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

static void count(enum acd_log_level level)
{
    static const enum acd_metric metrics[] = {ACD_METRIC_LOG_ERRORS, ACD_METRIC_LOG_WARNINGS,
                                              ACD_METRIC_LOG_INFOS};

    if (level < ACD_LOG_DEBUG)
        acd_metric_add(metrics[level], 1);
}

static void write_line(enum acd_log_level level, const struct acd_log_field *fields, uint32_t field_count,
                       const char *text)
{
    struct acd_log_line line;

    acd_log_line_begin(&line, log_format, level, acd_slice_str(text));
    for (uint32_t i = 0; i < field_count; i++)
        acd_log_line_field(&line, &fields[i]);
    acd_log_line_end(&line);
    /* A log that nobody can write to must not stop the daemon. */
    if (write(STDERR_FILENO, line.bytes, line.used) < 0)
        errno = 0;
}

static void log_it(enum acd_log_level level, const struct acd_log_field *fields, uint32_t field_count,
                   const char *format, va_list args)
{
    int saved = errno;
    char text[TEXT_BYTES];

    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    count(level);
    if (level == ACD_LOG_DEBUG || acd_log_limit(format, level, text))
        write_line(level, fields, field_count, text);
    else
        acd_metric_add(ACD_METRIC_LOG_SUPPRESSED, 1);
    errno = saved;
}

void acd_log(enum acd_log_level level, const char *format, ...)
{
    va_list args;

    if (!acd_log_wants(level))
        return;
    va_start(args, format);
    log_it(level, NULL, 0, format, args);
    va_end(args);
}

void acd_log_fields(enum acd_log_level level, const struct acd_log_field *fields, uint32_t field_count,
                    const char *format, ...)
{
    va_list args;

    if (!acd_log_wants(level))
        return;
    va_start(args, format);
    log_it(level, fields, field_count, format, args);
    va_end(args);
}

void acd_log_tell_suppressed(bool now)
{
    struct acd_log_suppressed suppressed;

    while (acd_log_limit_over(now, &suppressed)) {
        const struct acd_log_field field = acd_log_number("suppressed", suppressed.count);
        char text[ACD_LOG_SAMPLE_BYTES + 64];

        snprintf(text, sizeof(text), "%u messages suppressed, the last of them: %s", suppressed.count,
                 suppressed.last);
        write_line(suppressed.level, &field, 1, text);
    }
}
