/* buffer.h: bytes that grow in an arena, for encoders.
 *
 * The buffer's memory is the arena's: nothing to free, and its bytes stay valid until the arena is reset,
 * also when the buffer has moved on to a larger block.
 */
#ifndef ACCOUNTD_BUFFER_H
#define ACCOUNTD_BUFFER_H

#include <stdint.h>

#include "accountd/arena.h"
#include "accountd/slice.h"

struct acd_buffer {
    struct acd_arena *arena;
    char *data;
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes allocated */
};

void acd_buffer_init(struct acd_buffer *buffer, struct acd_arena *arena, size_t capacity);

/* Makes room for more bytes and returns where they start; the caller writes and adds to len. */
char *acd_buffer_reserve(struct acd_buffer *buffer, size_t more);

void acd_buffer_add(struct acd_buffer *buffer, const void *data, size_t len);
void acd_buffer_add_slice(struct acd_buffer *buffer, struct acd_slice slice);
void acd_buffer_add_str(struct acd_buffer *buffer, const char *text);
void acd_buffer_add_char(struct acd_buffer *buffer, char c);
void acd_buffer_add_int(struct acd_buffer *buffer, int64_t number); /* decimal */

/* A number alone, in decimal. */
struct acd_slice acd_buffer_int(struct acd_arena *arena, int64_t number);

static inline struct acd_slice acd_buffer_slice(const struct acd_buffer *buffer)
{
    return acd_slice(buffer->data, buffer->len);
}

#endif
