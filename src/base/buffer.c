/* A growing block of the arena: growing takes a block twice as large and leaves the old one where it is. */
#include "accountd/buffer.h"

#define CAPACITY_MIN ((size_t)64)

/* Bytes of "-9223372036854775808". */
#define INT_BYTES 20

void acd_buffer_init(struct acd_buffer *buffer, struct acd_arena *arena, size_t capacity)
{
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    *buffer = (struct acd_buffer){arena, acd_arena_alloc(arena, capacity), 0, capacity};
}

char *acd_buffer_reserve(struct acd_buffer *buffer, size_t more)
{
    size_t capacity = 2 * buffer->capacity;
    char *data;

    if (more <= buffer->capacity - buffer->len)
        return buffer->data + buffer->len;
    if (more > capacity - buffer->len)
        capacity = buffer->len + more;
    data = acd_arena_alloc(buffer->arena, capacity);
    memcpy(data, buffer->data, buffer->len);
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->len;
}

void acd_buffer_add(struct acd_buffer *buffer, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(acd_buffer_reserve(buffer, len), data, len);
    buffer->len += len;
}

void acd_buffer_add_slice(struct acd_buffer *buffer, struct acd_slice slice)
{
    acd_buffer_add(buffer, slice.data, slice.len);
}

void acd_buffer_add_str(struct acd_buffer *buffer, const char *text)
{
    acd_buffer_add(buffer, text, strlen(text));
}

void acd_buffer_add_char(struct acd_buffer *buffer, char c)
{
    *acd_buffer_reserve(buffer, 1) = c;
    buffer->len++;
}

/* Puts the digits, and the minus, before the end; returns where they start. */
static char *put_int(char *end, int64_t number)
{
    /* Unsigned, because the smallest int64 has no positive counterpart. */
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

    do {
        *--end = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        *--end = '-';
    return end;
}

void acd_buffer_add_int(struct acd_buffer *buffer, int64_t number)
{
    char text[INT_BYTES];
    char *end = text + sizeof(text);
    char *start = put_int(end, number);

    acd_buffer_add(buffer, start, (size_t)(end - start));
}

struct acd_slice acd_buffer_int(struct acd_arena *arena, int64_t number)
{
    char text[INT_BYTES];
    char *end = text + sizeof(text);
    char *start = put_int(end, number);

    return acd_arena_copy(arena, acd_slice(start, (size_t)(end - start)));
}
