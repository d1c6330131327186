/* Four small machines, a byte at a time. */
#include "frame.h"

#include <stddef.h>
#include <string.h>

enum csv_state { CSV_CELL, CSV_BARE, CSV_QUOTED, CSV_QUOTE };

enum json_state {
    JSON_FIRST, /* nothing was seen yet */
    JSON_ITEM,  /* a record must come */
    JSON_ITEM_OR_END,
    JSON_RECORD,
    JSON_SCALAR, /* a record that is neither object, array nor string: it has no end of its own */
    JSON_COMMA_OR_END,
    JSON_AFTER, /* the array is closed */
};

/* What a machine says of a byte. */
enum verdict {
    SKIP,
    KEEP,
    LAST,     /* keep it; the record is complete */
    END,      /* drop it; the record is complete */
    END_LOOK, /* the record was complete before it */
    BROKEN,
};

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum verdict line_byte(struct acd_ctl_frame *frame, unsigned char c)
{
    if (c == '\n')
        return END;
    frame->begun = frame->begun || !is_blank(c);
    return KEEP;
}

/* Quotes count at the start of a cell only, as in RFC 4180; elsewhere they are text. */
static enum verdict csv_byte(struct acd_ctl_frame *frame, unsigned char c)
{
    if (frame->state == CSV_QUOTED) {
        frame->state = c == '"' ? CSV_QUOTE : CSV_QUOTED;
        return KEEP;
    }
    if (c == '\n') {
        frame->state = CSV_CELL;
        return END;
    }
    frame->begun = frame->begun || c != '\r';
    if (c == '"' && (frame->state == CSV_CELL || frame->state == CSV_QUOTE))
        frame->state = CSV_QUOTED;
    else
        frame->state = c == ',' ? CSV_CELL : CSV_BARE;
    return KEEP;
}

static enum verdict json_begin(struct acd_ctl_frame *frame, unsigned char c)
{
    frame->begun = true;
    frame->depth = c == '{' || c == '[';
    frame->string = c == '"';
    frame->escaped = false;
    frame->state = frame->depth || frame->string ? JSON_RECORD : JSON_SCALAR;
    return KEEP;
}

static enum verdict json_complete(struct acd_ctl_frame *frame, enum verdict verdict)
{
    frame->state = frame->array ? JSON_COMMA_OR_END : JSON_ITEM_OR_END;
    return verdict;
}

static enum verdict json_within(struct acd_ctl_frame *frame, unsigned char c)
{
    if (frame->escaped) {
        frame->escaped = false;
    } else if (frame->string) {
        frame->escaped = c == '\\';
        frame->string = c != '"';
    } else if (c == '"') {
        frame->string = true;
    } else if (c == '{' || c == '[') {
        frame->depth++;
    } else if (c == '}' || c == ']') {
        frame->depth--;
    }
    return frame->depth == 0 && !frame->string ? json_complete(frame, LAST) : KEEP;
}

static enum verdict json_broken(struct acd_ctl_frame *frame, const char *why)
{
    frame->broken = why;
    return BROKEN;
}

/* Between records. */
static enum verdict json_between(struct acd_ctl_frame *frame, unsigned char c)
{
    if (is_blank(c))
        return SKIP;
    if (frame->state == JSON_FIRST && c == '[') {
        frame->array = true;
        frame->state = JSON_ITEM_OR_END;
        return SKIP;
    }
    if (frame->state == JSON_AFTER)
        return json_broken(frame, "something follows the end of the array");
    if (frame->array && c == ']' && frame->state != JSON_ITEM) {
        frame->state = JSON_AFTER;
        return SKIP;
    }
    if (frame->state == JSON_COMMA_OR_END) {
        frame->state = JSON_ITEM;
        return c == ',' ? SKIP : json_broken(frame, "a comma or the end of the array is expected");
    }
    if (c == ',' || c == ']' || c == '}' || c == ':')
        return json_broken(frame, "a record is expected");
    return json_begin(frame, c);
}

static enum verdict json_byte(struct acd_ctl_frame *frame, unsigned char c)
{
    if (frame->state == JSON_RECORD)
        return json_within(frame, c);
    if (frame->state != JSON_SCALAR)
        return json_between(frame, c);
    return is_blank(c) || c == ',' || c == ']' || c == '{' || c == '[' || c == '"'
               ? json_complete(frame, END_LOOK)
               : KEEP;
}

/* A value's first byte is known, and its length where it has one: what is to come? */
static void msgpack_value(struct acd_ctl_frame *frame, uint64_t length)
{
    unsigned char first = frame->first;
    bool map = (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
    bool array = (first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd;

    frame->owed--;
    if (map || array) {
        uint64_t items = map ? 2 * length : length;

        frame->owed = items > UINT64_MAX - frame->owed ? UINT64_MAX : frame->owed + items;
    } else {
        frame->payload = length;
    }
}

/* How many bytes of a length follow the first byte; *fixed is what comes where none does. */
static unsigned msgpack_head(unsigned char first, uint64_t *fixed)
{
    /* c0 to df: bytes of a length, and fixed bytes beside it */
    static const unsigned char lengths[32] = {0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0,
                                              0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};
    static const unsigned char beside[32] = {0, 0, 0, 0, 0, 0, 0, 1, 1,  1, 4, 8, 1, 2, 4, 8,
                                             1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0};

    *fixed = 0;
    if (first < 0x80 || first >= 0xe0)
        return 0;
    if (first < 0xa0)
        *fixed = first & 0x0f;
    else if (first < 0xc0)
        *fixed = first & 0x1f;
    else
        *fixed = beside[first - 0xc0];
    return first < 0xc0 ? 0 : lengths[first - 0xc0];
}

static enum verdict msgpack_byte(struct acd_ctl_frame *frame, unsigned char c)
{
    uint64_t fixed;

    frame->owed += !frame->begun;
    frame->begun = true;
    if (frame->payload) {
        frame->payload--;
    } else if (frame->head) {
        frame->length = frame->length << 8 | c;
        if (--frame->head == 0) {
            (void)msgpack_head(frame->first, &fixed);
            msgpack_value(frame, frame->length + fixed);
        }
    } else {
        frame->first = c;
        frame->length = 0;
        frame->head = msgpack_head(c, &fixed);
        if (frame->head == 0)
            msgpack_value(frame, fixed);
    }
    return frame->owed == 0 && frame->payload == 0 && frame->head == 0 ? LAST : KEEP;
}

static void keep(struct acd_ctl_frame *frame, const char *bytes, size_t len)
{
    size_t room = sizeof(frame->record) - frame->len;
    size_t kept = len < room ? len : room;

    memcpy(frame->record + frame->len, bytes, kept);
    frame->len += kept;
    frame->overlong = frame->overlong || kept < len;
}

static bool has_lines(const struct acd_ctl_frame *frame)
{
    return frame->format == ACD_NDJSON || frame->format == ACD_CSV;
}

/* The record before was given away. */
static void begin(struct acd_ctl_frame *frame)
{
    frame->given = false;
    frame->begun = false;
    frame->len = 0;
    frame->overlong = false;
    frame->cut = false;
    if (has_lines(frame))
        frame->number = frame->line;
}

static bool finish(struct acd_ctl_frame *frame)
{
    bool complete = frame->begun;

    if (has_lines(frame) && frame->len && frame->record[frame->len - 1] == '\r' && !frame->overlong)
        frame->len--;
    if (!has_lines(frame) && complete)
        frame->number++;
    return complete;
}

void acd_ctl_frame_init(struct acd_ctl_frame *frame, enum acd_format format)
{
    memset(frame, 0, offsetof(struct acd_ctl_frame, record));
    frame->format = format;
    frame->line = 1;
    frame->given = true;
}

/* Of a line that has begun, all before its end is the record's. Returns how much that is. */
static size_t keep_line(struct acd_ctl_frame *frame, const char *bytes, size_t len)
{
    const char *end = memchr(bytes, '\n', len);
    size_t whole = end ? (size_t)(end - bytes) : len;

    keep(frame, bytes, whole);
    return whole;
}

size_t acd_ctl_frame_feed(struct acd_ctl_frame *frame, struct acd_slice bytes, bool *complete)
{
    static enum verdict (*const machines[])(struct acd_ctl_frame *, unsigned char) = {
        [ACD_NDJSON] = line_byte, [ACD_JSON] = json_byte, [ACD_CSV] = csv_byte, [ACD_MSGPACK] = msgpack_byte};
    enum verdict (*machine)(struct acd_ctl_frame *, unsigned char) = machines[frame->format];

    *complete = false;
    if (frame->given)
        begin(frame);
    for (size_t i = 0; i < bytes.len; i++) {
        enum verdict verdict;

        if (frame->format == ACD_NDJSON && frame->begun)
            i += keep_line(frame, bytes.data + i, bytes.len - i);
        if (i == bytes.len)
            break;
        verdict = machine(frame, (unsigned char)bytes.data[i]);
        if (verdict == BROKEN)
            return i;
        frame->line += bytes.data[i] == '\n' && verdict != END_LOOK;
        if (verdict == KEEP || verdict == LAST)
            keep(frame, bytes.data + i, 1);
        if (verdict < LAST)
            continue;
        *complete = finish(frame);
        frame->begun = false;
        frame->given = *complete;
        if (*complete)
            return i + (verdict != END_LOOK);
        begin(frame);
    }
    return bytes.len;
}

bool acd_ctl_frame_end(struct acd_ctl_frame *frame)
{
    bool complete;

    if (frame->format == ACD_CSV && frame->state == CSV_QUOTED)
        frame->overlong = true;
    if (frame->format == ACD_JSON && frame->array && frame->state != JSON_AFTER)
        frame->broken = "the array is not closed";
    else if (frame->format == ACD_JSON && frame->state == JSON_RECORD)
        frame->broken = "the file ends within a record";
    if (frame->format == ACD_MSGPACK && frame->begun)
        frame->broken = "the file ends within a record";
    complete = !frame->broken && frame->begun && finish(frame);
    frame->cut = complete && has_lines(frame);
    frame->begun = false;
    return complete;
}
