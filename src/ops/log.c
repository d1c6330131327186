/* Lines for people and for journald. */
#include "accountd/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "accountd/text.h"

/* A pipe takes this many bytes in one piece, so that lines of two threads cannot mix. */
#define LINE_BYTES 4096
#define TEXT_BYTES 2048
/* The longest way to write one character: \u00ff or \xf0\x9f\x98\x80. */
#define ESCAPED_BYTES 16
/* What follows the message: "} and a newline. */
#define TAIL_BYTES 4

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char *const format_names[] = {"text", "json"};
/* syslog(3)'s numbers of these levels. */
static const int priorities[] = {3, 4, 6, 7};

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
    bool found = find_name(level_names, sizeof(level_names) / sizeof(level_names[0]), text, &i);

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

/* $JOURNAL_STREAM names the device and inode of the stream that systemd made; a child whose stderr was
 * redirected inherits the variable, but not that stream. */
static bool stderr_is_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    unsigned long long device;
    unsigned long long inode;
    struct stat status;

    return named && sscanf(named, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

/* Bytes of the UTF-8 character at the start of the text, 0 when there is none. */
static size_t character_bytes(const char *text, size_t left)
{
    unsigned char lead = (unsigned char)text[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    return len <= left && acd_utf8_valid(acd_slice(text, len)) ? len : 0;
}

static size_t escape_character(const char *text, size_t len, char out[ESCAPED_BYTES + 1])
{
    bool json = log_format == ACD_LOG_JSON;
    unsigned char c = (unsigned char)text[0];
    size_t used = 0;

    if (len == 0) /* no UTF-8: the byte's number, as text in JSON too */
        return (size_t)sprintf(out, json ? "\\\\x%02x" : "\\x%02x", c);
    if (json && (c == '"' || c == '\\'))
        return (size_t)sprintf(out, "\\%c", c);
    if (!acd_text_has_control(acd_slice(text, len), false)) {
        memcpy(out, text, len);
        return len;
    }
    if (c == '\n')
        return (size_t)sprintf(out, "\\n");
    if (json)
        return (size_t)sprintf(out, "\\u%04x", len == 1 ? c : (unsigned char)text[1]);
    for (size_t i = 0; i < len; i++)
        used += (size_t)sprintf(out + used, "\\x%02x", (unsigned char)text[i]);
    return used;
}

/* Adds the text, so that whatever it holds stays within one line and one JSON string. */
static size_t add_escaped(char *line, size_t used, const char *text, size_t text_len)
{
    char escaped[ESCAPED_BYTES + 1];

    for (size_t i = 0; i < text_len;) {
        size_t len = character_bytes(text + i, text_len - i);
        size_t escaped_len = escape_character(text + i, len, escaped);

        if (used + escaped_len > LINE_BYTES - TAIL_BYTES)
            break;
        memcpy(line + used, escaped, escaped_len);
        used += escaped_len;
        i += len ? len : 1;
    }
    return used;
}

static size_t add_head(char *line, enum acd_log_level level)
{
    bool journal = stderr_is_journal();
    char time[ACD_TIME_BYTES];
    struct timespec now;
    size_t used = journal ? (size_t)sprintf(line, "<%d>", priorities[level]) : 0;

    clock_gettime(CLOCK_REALTIME, &now);
    acd_time_format((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, time);
    if (log_format == ACD_LOG_JSON)
        return used + (size_t)sprintf(line + used, "{\"at\":\"%s\",\"level\":\"%s\",\"message\":\"", time,
                                      level_names[level]);
    if (!journal) /* which notes the time by itself */
        used += (size_t)sprintf(line + used, "%s %s ", time, level_names[level]);
    return used;
}

void acd_log(enum acd_log_level level, const char *format, ...)
{
    int saved = errno;
    char text[TEXT_BYTES];
    char line[LINE_BYTES];
    size_t used;
    int text_len;
    va_list args;

    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    va_start(args, format);
    text_len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (text_len < 0)
        text_len = 0;
    if ((size_t)text_len >= sizeof(text))
        text_len = (int)sizeof(text) - 1;
    used = add_head(line, level);
    used = add_escaped(line, used, text, (size_t)text_len);
    if (log_format == ACD_LOG_JSON) {
        line[used++] = '"';
        line[used++] = '}';
    }
    line[used++] = '\n';
    /* A log that nobody can write to must not stop the daemon. */
    if (write(STDERR_FILENO, line, used) < 0)
        errno = 0;
    errno = saved;
}
