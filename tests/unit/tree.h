/* tree.h: decoded messages as text, and bytes written in hex, for tables of tests. */
#ifndef ACCOUNTD_TEST_TREE_H
#define ACCOUNTD_TEST_TREE_H

#include <stdio.h>

#include "accountd/buffer.h"
#include "accountd/codec.h"

static inline void tree_add(struct acd_buffer *text, const struct acd_value *value)
{
    struct acd_arena *arena = text->arena;

    switch (value->kind) {
    case ACD_NULL:
        acd_buffer_add_str(text, "null");
        break;
    case ACD_BOOL:
        acd_buffer_add_str(text, value->boolean ? "true" : "false");
        break;
    case ACD_INT:
        acd_buffer_add_int(text, value->integer);
        break;
    case ACD_DOUBLE:
        acd_buffer_add_slice(text, acd_arena_format(arena, "double(%.17g)", value->number));
        break;
    case ACD_STRING:
        acd_buffer_add_slice(text, acd_arena_format(arena, "'%.*s'", ACD_SLICE_ARGS(value->string)));
        break;
    case ACD_BYTES:
        acd_buffer_add_slice(text, acd_arena_format(arena, "bytes(%zu)", value->string.len));
        break;
    case ACD_ARRAY:
        acd_buffer_add_char(text, '[');
        for (uint32_t i = 0; i < value->count; i++) {
            if (i)
                acd_buffer_add_char(text, ' ');
            tree_add(text, &value->items[i]);
        }
        acd_buffer_add_char(text, ']');
        break;
    case ACD_MAP:
        acd_buffer_add_char(text, '{');
        for (uint32_t i = 0; i < value->count; i++) {
            if (i)
                acd_buffer_add_char(text, ' ');
            acd_buffer_add_slice(text, value->members[i].key);
            acd_buffer_add_char(text, ':');
            tree_add(text, &value->members[i].value);
        }
        acd_buffer_add_char(text, '}');
        break;
    }
}

/* {a:1 b:['x' true double(0.5) bytes(3)]} */
static inline const char *tree_text(struct acd_arena *arena, const struct acd_value *value)
{
    struct acd_buffer text;

    acd_buffer_init(&text, arena, 256);
    tree_add(&text, value);
    acd_buffer_add_char(&text, '\0');
    return text.data;
}

/* The tree of a message as text, or why it is malformed. */
static inline const char *decoded_text(struct acd_arena *arena, enum acd_encoding encoding,
                                       struct acd_slice bytes)
{
    struct acd_value value;
    const char *wrong = acd_codec_decode(encoding, bytes, arena, &value);

    return wrong ? wrong : tree_text(arena, &value);
}

/* The bytes of "81 a1 61 01"; blanks are left out. */
static inline struct acd_slice hex_bytes(struct acd_arena *arena, const char *hex)
{
    struct acd_buffer bytes;
    unsigned int byte;
    int read;

    acd_buffer_init(&bytes, arena, strlen(hex));
    while (sscanf(hex, " %2x%n", &byte, &read) == 1) {
        acd_buffer_add_char(&bytes, (char)byte);
        hex += read;
    }
    return acd_buffer_slice(&bytes);
}

#endif
