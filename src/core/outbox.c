/* The outbox: outgoing messages as length-prefixed parts, numbers in the byte order of the host (an outbox is
 * read back within seconds, by the same program). */
#include "accountd/outgoing.h"

#include "accountd/buffer.h"

#define OUTBOX_FORMAT 1
#define NULL_LENGTH   UINT32_MAX

size_t acd_outgoing_bytes(const struct acd_outgoing *message)
{
    size_t bytes = message->key.len + message->value.len;

    for (uint32_t i = 0; i < message->header_count; i++)
        bytes += message->headers[i].name.len + message->headers[i].value.len;
    return bytes;
}

void acd_outgoing_reserve(struct acd_arena *arena, struct acd_outgoing_list *list, uint32_t more)
{
    struct acd_outgoing *items;

    if (more <= list->capacity - list->count)
        return;
    items = acd_arena_alloc(arena, (list->count + (size_t)more) * sizeof(*items));
    if (list->count)
        memcpy(items, list->items, list->count * sizeof(*items));
    list->items = items;
    list->capacity = list->count + more;
}

void acd_outgoing_add(struct acd_arena *arena, struct acd_outgoing_list *list,
                      const struct acd_outgoing *message)
{
    if (list->count == list->capacity)
        acd_outgoing_reserve(arena, list, list->capacity ? list->capacity : 64);
    list->items[list->count++] = *message;
    list->bytes += acd_outgoing_bytes(message);
}

void acd_outgoing_join(struct acd_arena *arena, struct acd_outgoing_list *list,
                       const struct acd_outgoing_list *more)
{
    if (more->count == 0)
        return;
    acd_outgoing_reserve(arena, list, more->count);
    memcpy(list->items + list->count, more->items, more->count * sizeof(*more->items));
    list->count += more->count;
    list->bytes += more->bytes;
}

static void put_u32(struct acd_buffer *buffer, uint32_t number)
{
    acd_buffer_add(buffer, &number, sizeof(number));
}

static void put_slice(struct acd_buffer *buffer, struct acd_slice slice)
{
    put_u32(buffer, slice.data ? (uint32_t)slice.len : NULL_LENGTH);
    acd_buffer_add_slice(buffer, slice);
}

static size_t encoded_bytes(const struct acd_outgoing_list *list)
{
    size_t bytes = list->bytes + 2 * sizeof(uint32_t);

    for (uint32_t i = 0; i < list->count; i++) {
        const struct acd_outgoing *message = &list->items[i];

        bytes += sizeof(message->partition) + sizeof(message->timestamp_ms) + message->topic.len;
        bytes += (4 + 2 * (size_t)message->header_count) * sizeof(uint32_t);
    }
    return bytes;
}

struct acd_slice acd_outbox_encode(struct acd_arena *arena, const struct acd_outgoing_list *list)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, arena, encoded_bytes(list));
    put_u32(&buffer, OUTBOX_FORMAT);
    put_u32(&buffer, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct acd_outgoing *message = &list->items[i];

        put_slice(&buffer, message->topic);
        acd_buffer_add(&buffer, &message->partition, sizeof(message->partition));
        acd_buffer_add(&buffer, &message->timestamp_ms, sizeof(message->timestamp_ms));
        put_slice(&buffer, message->key);
        put_slice(&buffer, message->value);
        put_u32(&buffer, message->header_count);
        for (uint32_t h = 0; h < message->header_count; h++) {
            put_slice(&buffer, message->headers[h].name);
            put_slice(&buffer, message->headers[h].value);
        }
    }
    return acd_buffer_slice(&buffer);
}

/* What is left to read; `bad` once something did not fit. */
struct reader {
    const char *at;
    size_t left;
    bool bad;
};

static void get(struct reader *reader, void *out, size_t len)
{
    if (reader->bad || reader->left < len) {
        reader->bad = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, reader->at, len);
    reader->at += len;
    reader->left -= len;
}

static uint32_t get_u32(struct reader *reader)
{
    uint32_t number;

    get(reader, &number, sizeof(number));
    return number;
}

static struct acd_slice get_slice(struct reader *reader)
{
    uint32_t len = get_u32(reader);
    struct acd_slice slice;

    if (reader->bad || len == NULL_LENGTH)
        return acd_slice(NULL, 0);
    if (len > reader->left) {
        reader->bad = true;
        return acd_slice(NULL, 0);
    }
    slice = acd_slice(reader->at, len);
    reader->at += len;
    reader->left -= len;
    return slice;
}

static void get_headers(struct acd_arena *arena, struct reader *reader, struct acd_outgoing *message)
{
    uint32_t count = get_u32(reader);
    struct acd_header *headers;

    /* A header takes at least its two lengths, which bounds what the count may claim. */
    if (reader->bad || count > reader->left / (2 * sizeof(uint32_t))) {
        reader->bad = true;
        return;
    }
    headers = acd_arena_calloc(arena, count, sizeof(*headers));
    for (uint32_t h = 0; h < count; h++) {
        headers[h].name = get_slice(reader);
        headers[h].value = get_slice(reader);
    }
    message->headers = headers;
    message->header_count = count;
}

int acd_outbox_decode(struct acd_arena *arena, struct acd_slice bytes, struct acd_outgoing_list *out)
{
    struct reader reader = {bytes.data, bytes.len, false};
    uint32_t count;

    *out = (struct acd_outgoing_list){0};
    if (get_u32(&reader) != OUTBOX_FORMAT)
        return -1;
    count = get_u32(&reader);
    for (uint32_t i = 0; i < count && !reader.bad; i++) {
        struct acd_outgoing message = {0};

        message.topic = get_slice(&reader);
        get(&reader, &message.partition, sizeof(message.partition));
        get(&reader, &message.timestamp_ms, sizeof(message.timestamp_ms));
        message.key = get_slice(&reader);
        message.value = get_slice(&reader);
        get_headers(arena, &reader, &message);
        if (!reader.bad)
            acd_outgoing_add(arena, out, &message);
    }
    return reader.bad || reader.left ? -1 : 0;
}
