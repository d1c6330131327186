/* The line as it was, with what is wrong beside it. */
#include "rejects.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../bytes.h"
#include "accountd/codec.h"

int acd_ctl_rejects_open(struct acd_ctl_rejects *out, const char *path, int64_t bytes)
{
    int fd;

    if (!path)
        return 0;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    /* A pipe or a device takes what comes. */
    (void)(ftruncate(fd, bytes) == 0 && lseek(fd, bytes, SEEK_SET));
    out->file = fdopen(fd, "w");
    out->bytes = bytes;
    if (!out->file)
        (void)close(fd);
    return out->file ? 0 : -1;
}

static void add_cell(struct acd_buffer *buffer, struct acd_slice cell, bool guard)
{
    bool quotes = false;

    for (size_t i = 0; i < cell.len && !quotes; i++)
        quotes = strchr(",\"\r\n", cell.data[i]) && cell.data[i];
    if (quotes)
        acd_buffer_add_char(buffer, '"');
    if (guard && cell.len && memchr("=+-@'\t\n", cell.data[0], 7))
        acd_buffer_add_char(buffer, '\'');
    for (size_t i = 0; i < cell.len; i++) {
        if (cell.data[i] == '"' && quotes)
            acd_buffer_add_char(buffer, '"');
        acd_buffer_add_char(buffer, cell.data[i]);
    }
    if (quotes)
        acd_buffer_add_char(buffer, '"');
}

static void add_header(struct acd_buffer *buffer, const struct acd_ctl_csv *csv)
{
    static const char *const more[] = {"line", "account", "code", "field", "message", "text"};

    for (uint32_t i = 0; i < csv->count; i++) {
        if (csv->columns[i].rejected)
            continue;
        add_cell(buffer, csv->columns[i].title, false);
        acd_buffer_add_char(buffer, ',');
    }
    for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++) {
        acd_buffer_add_str(buffer, ACD_CTL_REJECTED "_");
        acd_buffer_add_str(buffer, more[i]);
        acd_buffer_add_str(buffer, i + 1 < sizeof(more) / sizeof(*more) ? "," : "\r\n");
    }
}

/* The cells as they were, in whatever encoding. False where the line is no row of the file, and its text is
 * given instead. */
static bool add_cells(struct acd_buffer *buffer, const struct acd_ctl_csv *csv,
                      const struct acd_ctl_line *line)
{
    static struct acd_slice cells[ACD_CTL_COLUMNS_MAX];
    struct acd_slice copy = acd_arena_copy(buffer->arena, line->text);
    int count = line->cut ? -1 : acd_ctl_csv_cells((char *)(uintptr_t)copy.data, copy.len, cells, csv->count);
    bool whole = count >= 0 && (uint32_t)count <= csv->count;

    for (uint32_t i = 0; i < csv->count; i++) {
        if (csv->columns[i].rejected)
            continue;
        if (whole && i < (uint32_t)count)
            add_cell(buffer, cells[i], false);
        acd_buffer_add_char(buffer, ',');
    }
    return whole;
}

static void add_row(struct acd_buffer *buffer, const struct acd_ctl_csv *csv, const struct acd_ctl_line *line)
{
    bool whole = add_cells(buffer, csv, line);
    const struct acd_slice more[] = {line->account, line->code, line->field, line->message};

    acd_buffer_add_int(buffer, line->number);
    for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++) {
        acd_buffer_add_char(buffer, ',');
        add_cell(buffer, more[i], true);
    }
    acd_buffer_add_char(buffer, ',');
    if (!whole)
        add_cell(buffer, line->text, true);
    acd_buffer_add_str(buffer, "\r\n");
}

static json_t *json_of(const struct acd_value *value);

static json_t *json_of_map(const struct acd_value *map)
{
    json_t *json = json_object();

    for (uint32_t i = 0; i < map->count; i++) {
        const struct acd_member *member = &map->members[i];

        (void)json_object_setn_new(json, member->key.data, member->key.len, json_of(&member->value));
    }
    return json;
}

/* MessagePack's bin and ext are shown as an empty list, which no field takes either: null would pass for
 * absent, and the line for a right one. */
static json_t *json_of(const struct acd_value *value)
{
    json_t *json;

    switch (value->kind) {
    case ACD_BOOL:
        return json_boolean(value->boolean);
    case ACD_INT:
        return json_integer(value->integer);
    case ACD_DOUBLE:
        return json_real(value->number);
    case ACD_STRING:
        return json_stringn_nocheck(value->string.data, value->string.len);
    case ACD_ARRAY:
        json = json_array();
        for (uint32_t i = 0; i < value->count; i++)
            (void)json_array_append_new(json, json_of(&value->items[i]));
        return json;
    case ACD_MAP:
        return json_of_map(value);
    case ACD_BYTES:
        return json_array();
    case ACD_NULL:
        break;
    }
    return json_null();
}

static void put(json_t *object, const char *name, struct acd_slice text)
{
    if (text.len)
        (void)json_object_set_new(object, name, json_stringn_nocheck(text.data, text.len));
}

/* False without memory. */
static bool add_object(struct acd_buffer *buffer, enum acd_format format, const struct acd_ctl_line *line)
{
    enum acd_encoding encoding = format == ACD_MSGPACK ? ACD_ENCODING_MSGPACK : ACD_ENCODING_JSON;
    json_t *rejected = json_object();
    struct acd_value record;
    int failed = 0;
    json_t *json;
    char *text;

    (void)json_object_set_new(rejected, "line", json_integer(line->number));
    put(rejected, "account", line->account);
    put(rejected, "code", line->code);
    put(rejected, "field", line->field);
    put(rejected, "message", line->message);
    if (line->cut || acd_codec_decode(encoding, line->text, buffer->arena, &record)) {
        json = json_object();
        failed = acd_ctl_put_bytes(rejected, "text", line->text);
    } else {
        json = json_of(&record);
    }
    (void)json_object_set_new(json, ACD_CTL_REJECTED, rejected);
    text = failed ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (!text)
        return false;
    acd_buffer_add_str(buffer, text);
    acd_buffer_add_char(buffer, '\n');
    free(text);
    return true;
}

struct acd_slice acd_ctl_rejects_text(const struct acd_ctl_rejects *rejects, struct acd_arena *arena,
                                      const struct acd_ctl_line *line, bool first)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, arena, line->text.len + 512);
    if (rejects->format != ACD_CSV) {
        if (!add_object(&buffer, rejects->format, line))
            return acd_slice(NULL, 0);
    } else {
        if (first)
            add_header(&buffer, rejects->csv);
        add_row(&buffer, rejects->csv, line);
    }
    return acd_buffer_slice(&buffer);
}

int acd_ctl_rejects_add(struct acd_ctl_rejects *rejects, struct acd_arena *arena,
                        const struct acd_ctl_line *line)
{
    struct acd_slice text;

    if (!rejects->file)
        return 0;
    text = acd_ctl_rejects_text(rejects, arena, line, rejects->bytes == 0);
    if (!text.data) {
        errno = ENOMEM;
        return -1;
    }
    if (fwrite(text.data, 1, text.len, rejects->file) != text.len)
        return -1;
    rejects->bytes += (int64_t)text.len;
    return 0;
}

int acd_ctl_rejects_sync(struct acd_ctl_rejects *rejects)
{
    if (!rejects->file)
        return 0;
    if (fflush(rejects->file))
        return -1;
    /* What is no file has no disk to be on. */
    (void)fsync(fileno(rejects->file));
    return 0;
}

int acd_ctl_rejects_close(struct acd_ctl_rejects *rejects, const char *path)
{
    struct stat status;
    bool empty = rejects->file && rejects->bytes == 0 && fstat(fileno(rejects->file), &status) == 0 &&
                 S_ISREG(status.st_mode);
    int result = rejects->file ? fclose(rejects->file) : 0;

    rejects->file = NULL;
    return result == 0 && empty ? unlink(path) : result;
}
