/* Decoding, and decoding again what is written of it. */
#include "decoder.h"

#include "accountd/text.h"

/* A reason that quotes a little of the message, and jansson's fixed cost. */
#define BYTES_FIXED 1024

static void check_reason(const char *reason)
{
    struct acd_slice text = acd_slice_str(reason);

    FUZZ_CHECK(text.len > 0 && text.len < 256, "a reason of %zu bytes: %s", text.len, reason);
    FUZZ_CHECK(acd_utf8_valid(text) && !acd_text_has_control(text, false), "no plain text: %s", reason);
}

/* The contract's rules for any message, whatever its encoding. */
static void check_tree(const struct acd_value *value, unsigned depth)
{
    if (value->kind == ACD_STRING)
        FUZZ_CHECK(acd_utf8_valid(value->string), "a string that is no UTF-8");
    if (value->kind == ACD_DOUBLE)
        FUZZ_CHECK(value->number - value->number == 0, "a number that is not finite");
    if (value->kind != ACD_ARRAY && value->kind != ACD_MAP)
        return;
    FUZZ_CHECK(depth < ACD_DEPTH_MAX, "nested too deep");
    for (uint32_t i = 0; i < value->count; i++) {
        const struct acd_member *member = value->kind == ACD_MAP ? &value->members[i] : NULL;

        if (member)
            FUZZ_CHECK(acd_utf8_valid(member->key) &&
                           !(member->key.len && memchr(member->key.data, 0, member->key.len)),
                       "a key that is no text");
        check_tree(member ? &member->value : &value->items[i], depth + 1);
    }
}

static void decode_again(struct acd_arena *arena, const struct acd_value *tree, enum acd_encoding encoding,
                         const struct acd_buffer *written)
{
    struct acd_value again;
    const char *wrong =
        acd_codec_decode(encoding, fuzz_exact(arena, acd_buffer_slice(written)), arena, &again);

    FUZZ_CHECK(!wrong, "written as %s it is refused: %s\n  %.*s", acd_encoding_content_type(encoding), wrong,
               ACD_SLICE_ARGS(acd_buffer_slice(written)));
    FUZZ_CHECK(fuzz_same_value(tree, &again), "it is another value when it is written as %s: %.*s",
               acd_encoding_content_type(encoding), ACD_SLICE_ARGS(acd_buffer_slice(written)));
}

void fuzz_decoder(enum acd_encoding encoding, struct acd_slice message, size_t bytes_per_byte)
{
    struct acd_arena arena;
    struct acd_buffer out;
    struct acd_value tree;
    const char *wrong;

    acd_arena_init(&arena);
    wrong = acd_codec_decode(encoding, message, &arena, &tree);
    FUZZ_CHECK(arena.allocated <= BYTES_FIXED + bytes_per_byte * message.len, "%zu bytes took %zu",
               message.len, arena.allocated);
    if (wrong) {
        check_reason(wrong);
    } else {
        unsigned form = message.len & 15;

        FUZZ_CHECK(tree.kind == ACD_MAP, "not a map");
        check_tree(&tree, 0);
        acd_buffer_init(&out, &arena, message.len);
        fuzz_write_msgpack(&out, &tree, form);
        decode_again(&arena, &tree, ACD_ENCODING_MSGPACK, &out);
        acd_buffer_init(&out, &arena, message.len);
        if (fuzz_write_json(&out, &tree, form))
            decode_again(&arena, &tree, ACD_ENCODING_JSON, &out);
    }
    acd_arena_free(&arena);
}
