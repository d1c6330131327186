/* Headers to members, and three ways to write them. */
#include "letter.h"

#include <inttypes.h>

#include "../bytes.h"
#include "../terminal.h"
#include "accountd/consumer.h"
#include "accountd/dead_letter.h"
#include "accountd/text.h"

/* Of a line's columns; what is longer widens its own line. */
#define POSITION_WIDTH 8
#define ORIGIN_WIDTH   24
#define CODE_WIDTH     9
#define BYTES_WIDTH    7

uint32_t acd_ctl_headers(struct acd_arena *arena, const rd_kafka_message_t *message,
                         const struct acd_header **headers)
{
    struct acd_record record = {.message = (void *)(uintptr_t)message};
    uint32_t count;

    /* More than can be read no record of accountd's has. */
    return acd_record_headers(&record, arena, headers, &count) ? 0 : count;
}

struct acd_slice acd_ctl_find_header(const struct acd_header *headers, uint32_t count, const char *name)
{
    while (count-- > 0)
        if (acd_slice_is(headers[count].name, name))
            return headers[count].value;
    return acd_slice(NULL, 0);
}

void acd_ctl_letter_sort(struct acd_ctl_letter *letter)
{
    const struct {
        const char *name;
        struct acd_slice *value;
    } table[] = {
        {ACD_LETTER_TOPIC, &letter->topic},
        {ACD_LETTER_PARTITION, &letter->origin_partition},
        {ACD_LETTER_OFFSET, &letter->origin_offset},
        {ACD_LETTER_GROUP, &letter->group},
        {ACD_LETTER_MESSAGE, &letter->message},
        {ACD_LETTER_CODE, &letter->code},
        {ACD_LETTER_CUT, &letter->cut_value},
        {ACD_LETTER_CUT_KEY, &letter->cut_key},
        {ACD_LETTER_CUT_HEADERS, &letter->cut_headers},
    };
    struct acd_slice note = acd_ctl_find_header(letter->headers, letter->header_count, ACD_LETTER_REPLAYED);

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        *table[i].value = acd_ctl_find_header(letter->headers, letter->header_count, table[i].name);
    letter->kind = ACD_CTL_LETTER_OTHER;
    /* A producer may send any header, also that of a note; but a dead letter always has a code. */
    if (letter->code.data)
        letter->kind = ACD_CTL_LETTER;
    else if (letter->header_count == 1 && note.data && !letter->key.data && !letter->value.data &&
             acd_int_parse(note, &letter->replayed))
        letter->kind = ACD_CTL_LETTER_NOTE;
}

void acd_ctl_letter_read(struct acd_arena *arena, const rd_kafka_message_t *message,
                         struct acd_ctl_letter *out)
{
    rd_kafka_timestamp_type_t type;

    *out = (struct acd_ctl_letter){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .key = acd_slice(message->key, message->key_len),
        .value = acd_slice(message->payload, message->len),
    };
    out->header_count = acd_ctl_headers(arena, message, &out->headers);
    acd_ctl_letter_sort(out);
}

bool acd_ctl_letter_is_cut(const struct acd_ctl_letter *letter)
{
    return letter->cut_value.data || letter->cut_key.data || letter->cut_headers.data;
}

/* Pads on the right, to where the next column begins. */
static void put_column(FILE *out, struct acd_slice text, size_t width)
{
    size_t used = acd_ctl_width(text);

    acd_ctl_put(out, text);
    (void)fprintf(out, "%*s", (int)(used < width ? width - used : 0) + 2, "");
}

/* "account.commands:0:42", or as much of it as is known. */
static struct acd_slice origin(const struct acd_ctl_letter *letter, char *text, size_t bytes)
{
    if (!letter->topic.data)
        return acd_slice_str("-");
    (void)snprintf(text, bytes, "%.*s:%.*s:%.*s", ACD_SLICE_ARGS(letter->topic),
                   ACD_SLICE_ARGS(letter->origin_partition), ACD_SLICE_ARGS(letter->origin_offset));
    return acd_slice_str(text);
}

static struct acd_slice or_dash(struct acd_slice text)
{
    return text.len ? text : acd_slice_str("-");
}

void acd_ctl_letter_titles(FILE *out)
{
    bool colour = acd_ctl_colour(out);

    (void)fputs(colour ? "\033[1m" : "", out);
    put_column(out, acd_slice_str("POSITION"), POSITION_WIDTH);
    put_column(out, acd_slice_str("WHEN"), ACD_TIME_BYTES - 1);
    put_column(out, acd_slice_str("FROM"), ORIGIN_WIDTH);
    put_column(out, acd_slice_str("CODE"), CODE_WIDTH);
    put_column(out, acd_slice_str("BYTES"), BYTES_WIDTH);
    (void)fputs(colour ? "MESSAGE\033[0m\n" : "MESSAGE\n", out);
}

void acd_ctl_letter_line(FILE *out, const struct acd_ctl_letter *letter, int64_t replayed_ms)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%" PRId32 ":%" PRId64, letter->partition, letter->offset);
    put_column(out, acd_slice_str(text), POSITION_WIDTH);
    acd_time_format(letter->timestamp_ms, text);
    put_column(out, acd_slice_str(text), ACD_TIME_BYTES - 1);
    put_column(out, origin(letter, text, sizeof(text)), ORIGIN_WIDTH);
    put_column(out, or_dash(letter->code), CODE_WIDTH);
    (void)snprintf(text, sizeof(text), "%zu", letter->value.len);
    put_column(out, acd_slice_str(text), BYTES_WIDTH);
    acd_ctl_put(out, or_dash(letter->message));
    (void)fputs(acd_ctl_letter_is_cut(letter) ? " [cut]" : "", out);
    (void)fputs(replayed_ms >= 0 ? " [replayed]\n" : "\n", out);
}

static void show_text(FILE *out, const char *name, struct acd_slice text)
{
    if (!text.data)
        return;
    (void)fprintf(out, "%s: ", name);
    acd_ctl_show_bytes(out, text);
    (void)fputc('\n', out);
}

static void show_cuts(FILE *out, const struct acd_ctl_letter *letter)
{
    if (letter->cut_value.data) {
        (void)fprintf(out, "cut: of the value's ");
        acd_ctl_show_bytes(out, letter->cut_value);
        (void)fprintf(out, " bytes the first %zu are left\n", letter->value.len);
    }
    if (letter->cut_key.data) {
        (void)fputs("cut: the key is missing; its bytes were ", out);
        acd_ctl_show_bytes(out, letter->cut_key);
        (void)fputc('\n', out);
    }
    if (letter->cut_headers.data) {
        (void)fputs("cut: headers are missing: ", out);
        acd_ctl_show_bytes(out, letter->cut_headers);
        (void)fputc('\n', out);
    }
}

void acd_ctl_letter_show(FILE *out, const struct acd_ctl_letter *letter, int64_t replayed_ms)
{
    char text[512];

    (void)fprintf(out, "position: %" PRId32 ":%" PRId64 "\n", letter->partition, letter->offset);
    acd_time_format(letter->timestamp_ms, text);
    (void)fprintf(out, "when: %s\n", text);
    show_text(out, "from", origin(letter, text, sizeof(text)));
    show_text(out, "group", letter->group);
    show_text(out, "code", letter->code);
    show_text(out, "message", letter->message);
    if (replayed_ms >= 0) {
        acd_time_format(replayed_ms, text);
        (void)fprintf(out, "replayed: %s\n", text);
    }
    show_cuts(out, letter);
    (void)fputs("key: ", out);
    acd_ctl_show_bytes(out, letter->key);
    (void)fputc('\n', out);
    for (uint32_t i = 0; i < letter->header_count; i++) {
        if (acd_dead_letter_adds(letter->headers[i].name))
            continue;
        (void)fputs("header ", out);
        acd_ctl_show_bytes(out, letter->headers[i].name);
        (void)fputs(": ", out);
        acd_ctl_show_bytes(out, letter->headers[i].value);
        (void)fputc('\n', out);
    }
    (void)fprintf(out, "bytes: %zu\n", letter->value.len);
    if (!letter->value.data || acd_utf8_valid(letter->value)) {
        (void)fputs("value: ", out);
        acd_ctl_show_bytes(out, letter->value);
        (void)fputc('\n', out);
    } else {
        (void)fputs("value:\n", out);
        acd_ctl_hex_dump(out, letter->value);
    }
}

json_t *acd_ctl_headers_json(const struct acd_header *headers, uint32_t count)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < count; i++) {
        json_t *header = json_object();

        if (acd_ctl_put_bytes(header, "name", headers[i].name) ||
            acd_ctl_put_bytes(header, "value", headers[i].value) || json_array_append(array, header)) {
            json_decref(header);
            json_decref(array);
            return NULL;
        }
        json_decref(header);
    }
    return array;
}

static bool put_time(json_t *object, const char *name, int64_t ms)
{
    char text[ACD_TIME_BYTES];

    if (ms < 0)
        return json_object_set_new(object, name, json_null()) == 0;
    acd_time_format(ms, text);
    return json_object_set_new(object, name, json_string(text)) == 0;
}

/* A header's number, where it is one; else as it is. */
static bool put_number(json_t *object, const char *name, struct acd_slice text)
{
    int64_t number;

    if (text.data && acd_int_parse(text, &number))
        return json_object_set_new(object, name, json_integer(number)) == 0;
    return acd_ctl_put_bytes(object, name, text) == 0;
}

static json_t *source_json(const struct acd_ctl_letter *letter)
{
    json_t *source = json_object();

    if (acd_ctl_put_bytes(source, "topic", letter->topic) == 0 &&
        put_number(source, "partition", letter->origin_partition) &&
        put_number(source, "offset", letter->origin_offset))
        return source;
    json_decref(source);
    return NULL;
}

static json_t *cut_json(const struct acd_ctl_letter *letter)
{
    json_t *cut = json_object();

    if ((!letter->cut_value.data || put_number(cut, "value", letter->cut_value)) &&
        (!letter->cut_key.data || put_number(cut, "key", letter->cut_key)) &&
        (!letter->cut_headers.data || put_number(cut, "headers", letter->cut_headers)))
        return cut;
    json_decref(cut);
    return NULL;
}

json_t *acd_ctl_letter_json(const struct acd_ctl_letter *letter, int64_t replayed_ms)
{
    json_t *object = json_object();

    if (json_object_set_new(object, "partition", json_integer(letter->partition)) == 0 &&
        json_object_set_new(object, "offset", json_integer(letter->offset)) == 0 &&
        put_time(object, "at", letter->timestamp_ms) &&
        json_object_set_new(object, "source", source_json(letter)) == 0 &&
        acd_ctl_put_bytes(object, "group", letter->group) == 0 &&
        acd_ctl_put_bytes(object, "code", letter->code) == 0 &&
        acd_ctl_put_bytes(object, "message", letter->message) == 0 &&
        put_time(object, "replayed", replayed_ms) &&
        (!acd_ctl_letter_is_cut(letter) || json_object_set_new(object, "cut", cut_json(letter)) == 0) &&
        json_object_set_new(object, "bytes", json_integer((json_int_t)letter->value.len)) == 0 &&
        acd_ctl_put_bytes(object, "key", letter->key) == 0 &&
        json_object_set_new(object, "headers", acd_ctl_headers_json(letter->headers, letter->header_count)) ==
            0 &&
        acd_ctl_put_bytes(object, "value", letter->value) == 0)
        return object;
    json_decref(object);
    return NULL;
}
