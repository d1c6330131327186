/* A line, in which nothing that comes from outside can end a line, a field or a JSON string. */
#include "log_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "accountd/text.h"

/* The longest way to write one character: \u00ff or \xf0\x9f\x98\x80. */
#define ESCAPED_BYTES 16
/* What follows the message: "} and a newline. */
#define TAIL_BYTES 4
/* What a message leaves for fields. */
#define FIELDS_BYTES 1280
/* A field's text is cut here. */
#define FIELD_BYTES 256

const char *const acd_log_level_names[] = {"error", "warning", "info", "debug"};
/* syslog(3)'s numbers of these levels. */
static const int priorities[] = {3, 4, 6, 7};

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

/* `quoted`: the text stands between quotes. */
static size_t escape_character(const char *text, size_t len, bool json, bool quoted,
                               char out[ESCAPED_BYTES + 1])
{
    unsigned char c = (unsigned char)text[0];
    size_t used = 0;

    if (len == 0) /* no UTF-8: the byte's number, as text in JSON too */
        return (size_t)sprintf(out, json ? "\\\\x%02x" : "\\x%02x", c);
    if (json && (c == '"' || c == '\\'))
        return (size_t)sprintf(out, "\\%c", c);
    if (!acd_text_has_control(acd_slice(text, len), false) && !(quoted && c == '"')) {
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

/* Adds what fits below `limit`; false when not all of it does. */
static bool add_escaped(struct acd_log_line *line, struct acd_slice text, bool quoted, size_t limit)
{
    char escaped[ESCAPED_BYTES + 1];

    for (size_t i = 0; i < text.len;) {
        size_t len = character_bytes(text.data + i, text.len - i);
        size_t escaped_len =
            escape_character(text.data + i, len, line->format == ACD_LOG_JSON, quoted, escaped);

        if (line->used + escaped_len > limit)
            return false;
        memcpy(line->bytes + line->used, escaped, escaped_len);
        line->used += escaped_len;
        i += len ? len : 1;
    }
    return true;
}

static void add_head(struct acd_log_line *line, enum acd_log_level level)
{
    bool journal = stderr_is_journal();
    char time[ACD_TIME_BYTES];
    struct timespec now;

    line->used = journal ? (size_t)sprintf(line->bytes, "<%d>", priorities[level]) : 0;
    clock_gettime(CLOCK_REALTIME, &now);
    acd_time_format((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, time);
    if (line->format == ACD_LOG_JSON)
        line->used +=
            (size_t)sprintf(line->bytes + line->used, "{\"at\":\"%s\",\"level\":\"%s\",\"message\":\"", time,
                            acd_log_level_names[level]);
    else if (!journal) /* which notes the time by itself */
        line->used += (size_t)sprintf(line->bytes + line->used, "%s %s ", time, acd_log_level_names[level]);
}

void acd_log_line_begin(struct acd_log_line *line, enum acd_log_format format, enum acd_log_level level,
                        struct acd_slice message)
{
    line->format = format;
    add_head(line, level);
    add_escaped(line, message, false, ACD_LOG_LINE_BYTES - TAIL_BYTES - FIELDS_BYTES);
    if (format == ACD_LOG_JSON)
        line->bytes[line->used++] = '"';
}

void acd_log_line_field(struct acd_log_line *line, const struct acd_log_field *field)
{
    bool json = line->format == ACD_LOG_JSON;
    struct acd_slice text =
        acd_slice(field->text.data, field->text.len < FIELD_BYTES ? field->text.len : FIELD_BYTES);
    size_t before = line->used;
    size_t limit = ACD_LOG_LINE_BYTES - TAIL_BYTES;
    char head[64];
    int head_len;

    if (!field->is_number && text.len == 0)
        return;
    if (field->is_number)
        head_len = snprintf(head, sizeof(head), json ? ",\"%s\":%lld" : " %s=%lld", field->name,
                            (long long)field->number);
    else
        head_len = snprintf(head, sizeof(head), json ? ",\"%s\":\"" : " %s=\"", field->name);
    if (head_len < 0 || (size_t)head_len >= sizeof(head) || line->used + (size_t)head_len > limit)
        return;
    memcpy(line->bytes + line->used, head, (size_t)head_len);
    line->used += (size_t)head_len;
    if (field->is_number)
        return;
    if (add_escaped(line, text, true, limit - 1))
        line->bytes[line->used++] = '"';
    else
        line->used = before;
}

void acd_log_line_end(struct acd_log_line *line)
{
    if (line->format == ACD_LOG_JSON)
        line->bytes[line->used++] = '}';
    line->bytes[line->used++] = '\n';
}
