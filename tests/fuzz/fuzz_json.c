/* JSON: any bytes are refused with a plain sentence or decoded, within bounded memory; what was decoded comes
 * back the same, also by way of MessagePack; and jansson, another reader of JSON, agrees on what is JSON and
 * what it says. The input is the message. */
#include <jansson.h>

#include "decoder.h"

/* `{,,,…` is the worst: room for a member of 40 bytes is made at each comma before the mistake is found. What
 * is right takes 12 at most. */
#define BYTES_PER_BYTE 15

static unsigned depth_of(const json_t *json)
{
    unsigned deepest = 0;
    const json_t *item;
    const char *key;
    size_t i;

    if (json_is_array(json)) {
        json_array_foreach(json, i, item)
        {
            unsigned depth = depth_of(item);

            deepest = depth > deepest ? depth : deepest;
        }
    }
    if (json_is_object(json)) {
        json_object_foreach((json_t *)(uintptr_t)json, key, item)
        {
            unsigned depth = depth_of(item);

            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest + (json_is_array(json) || json_is_object(json));
}

static bool same(const struct acd_value *value, const json_t *json)
{
    switch (value->kind) {
    case ACD_NULL:
        return json_is_null(json);
    case ACD_BOOL:
        return json_is_boolean(json) && json_is_true(json) == value->boolean;
    case ACD_INT:
        return json_is_integer(json) && json_integer_value(json) == value->integer;
    case ACD_DOUBLE:
        return json_is_real(json) && json_real_value(json) == value->number;
    case ACD_STRING:
        return json_is_string(json) &&
               acd_slice_equal(value->string, acd_slice(json_string_value(json), json_string_length(json)));
    case ACD_ARRAY:
        if (!json_is_array(json) || json_array_size(json) != value->count)
            return false;
        for (uint32_t i = 0; i < value->count; i++)
            if (!same(&value->items[i], json_array_get(json, i)))
                return false;
        return true;
    case ACD_MAP:
        if (!json_is_object(json) || json_object_size(json) != value->count)
            return false;
        for (uint32_t i = 0; i < value->count; i++) {
            struct acd_slice key = value->members[i].key;

            if (!same(&value->members[i].value, json_object_getn(json, key.data, key.len)))
                return false;
        }
        return true;
    default:
        return false;
    }
}

static void compare(struct acd_slice message)
{
    struct acd_arena arena;
    struct acd_value tree;
    json_error_t error;
    const char *wrong;
    json_t *json;

    acd_arena_init(&arena);
    wrong = acd_codec_decode(ACD_ENCODING_JSON, message, &arena, &tree);
    json = json_loadb(message.data, message.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    /* jansson overlooks a NUL between tokens. */
    if (json && json_is_object(json) && depth_of(json) <= ACD_DEPTH_MAX &&
        !memchr(message.data, 0, message.len)) {
        FUZZ_CHECK(!wrong, "jansson takes what is refused: %s", wrong);
        FUZZ_CHECK(same(&tree, json), "jansson reads something else");
    } else {
        FUZZ_CHECK(wrong, "jansson refuses what is taken: %s",
                   json ? "a NUL, or nested too deep" : error.text);
    }
    json_decref(json);
    acd_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acd_slice message = acd_slice(data, size);

    fuzz_decoder(ACD_ENCODING_JSON, message, BYTES_PER_BYTE);
    compare(message);
    return 0;
}
