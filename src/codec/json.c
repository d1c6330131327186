/* JSON → acd_value, by jansson.
 *
 * jansson's tree lives in the arena of the message, like the tree that is made of it: it is never released,
 * and strings borrow from it.
 */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "decode.h"

#define NEAR_MAX 60 /* bytes of jansson's own words in a reason */

/* Whose message this thread is decoding; NULL outside of json_loadb. */
static _Thread_local struct acd_arena *decoding;

static bool hooked;

static void *take(size_t size)
{
    struct acd_arena *arena = decoding;
    void *memory;

    if (!arena)
        return malloc(size);
    /* Without memory the arena jumps out of jansson: the thread must not seem to be decoding after that. */
    decoding = NULL;
    memory = acd_arena_alloc(arena, size);
    decoding = arena;
    return memory;
}

/* No tree outlives the decoding it was made in, so what is given back outside of one came from malloc. */
static void give_back(void *memory)
{
    if (!decoding)
        free(memory);
}

void acd_codec_setup(void)
{
    json_set_alloc_funcs(take, give_back);
    json_object_seed(0);
    hooked = true;
}

/* jansson quotes the input, which may hold anything: a reason is plain text on one line. */
static struct acd_slice plain(struct acd_arena *arena, const char *text)
{
    struct acd_slice copy = acd_slice(text, strnlen(text, NEAR_MAX));
    char *out = acd_arena_alloc(arena, copy.len);

    for (size_t i = 0; i < copy.len; i++)
        out[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    return acd_slice(out, copy.len);
}

static const char *reason(struct acd_arena *arena, const json_error_t *error)
{
    const char *what;

    switch (json_error_code(error)) {
    case json_error_stack_overflow:
        return ACD_TOO_DEEP;
    case json_error_premature_end_of_input:
        what = "the JSON ends too early";
        break;
    case json_error_end_of_input_expected:
        what = "something follows the JSON object";
        break;
    case json_error_invalid_utf8:
        what = "the JSON is not valid UTF-8";
        break;
    case json_error_duplicate_key:
        what = "a key of the JSON comes twice in one object";
        break;
    case json_error_null_byte_in_key:
        what = "a key of the JSON holds a NUL";
        break;
    case json_error_numeric_overflow:
        what = "a number of the JSON is larger than a 64 bit integer or a double can be";
        break;
    default:
        return acd_arena_format(arena, "the JSON is wrong at byte %d: %.*s", error->position,
                                ACD_SLICE_ARGS(plain(arena, error->text)))
            .data;
    }
    return acd_arena_format(arena, "%s, at byte %d", what, error->position).data;
}

static const char *convert(json_t *json, struct acd_arena *arena, uint32_t depth, struct acd_value *out);

static const char *convert_array(json_t *json, struct acd_arena *arena, uint32_t depth, struct acd_value *out)
{
    size_t count = json_array_size(json);
    struct acd_value *items = acd_arena_alloc(arena, count * sizeof(*items));

    *out = (struct acd_value){.kind = ACD_ARRAY, .count = (uint32_t)count, .items = items};
    for (size_t i = 0; i < count; i++) {
        const char *wrong = convert(json_array_get(json, i), arena, depth + 1, &items[i]);

        if (wrong)
            return wrong;
    }
    return NULL;
}

/* jansson iterates in the order of the message. */
static const char *convert_object(json_t *json, struct acd_arena *arena, uint32_t depth,
                                  struct acd_value *out)
{
    size_t count = json_object_size(json);
    struct acd_member *members = acd_arena_alloc(arena, count * sizeof(*members));
    struct acd_member *member = members;

    *out = (struct acd_value){.kind = ACD_MAP, .count = (uint32_t)count, .members = members};
    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i), member++) {
        const char *wrong = convert(json_object_iter_value(i), arena, depth + 1, &member->value);

        if (wrong)
            return wrong;
        member->key = acd_slice(json_object_iter_key(i), json_object_iter_key_len(i));
    }
    return NULL;
}

/* `depth` is that of the containers around it. */
static const char *convert(json_t *json, struct acd_arena *arena, uint32_t depth, struct acd_value *out)
{
    if ((json_is_object(json) || json_is_array(json)) && depth == ACD_DEPTH_MAX)
        return ACD_TOO_DEEP;

    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return convert_object(json, arena, depth, out);
    case JSON_ARRAY:
        return convert_array(json, arena, depth, out);
    case JSON_STRING:
        *out = (struct acd_value){.kind = ACD_STRING,
                                  .string = acd_slice(json_string_value(json), json_string_length(json))};
        break;
    case JSON_INTEGER:
        *out = (struct acd_value){.kind = ACD_INT, .integer = json_integer_value(json)};
        break;
    case JSON_REAL:
        *out = (struct acd_value){.kind = ACD_DOUBLE, .number = json_real_value(json)};
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = (struct acd_value){.kind = ACD_BOOL, .boolean = json_is_true(json)};
        break;
    case JSON_NULL:
        *out = (struct acd_value){.kind = ACD_NULL};
        break;
    }
    return NULL;
}

static bool is_object(struct acd_slice bytes)
{
    size_t blank = 0;

    while (blank < bytes.len && strchr(" \t\r\n", bytes.data[blank]) && bytes.data[blank])
        blank++;
    return blank < bytes.len && bytes.data[blank] == '{';
}

const char *acd_json_decode(struct acd_slice bytes, struct acd_arena *arena, struct acd_value *out)
{
    json_error_t error;
    json_t *json;

    assert(hooked);
    if (!is_object(bytes))
        return "the value is neither a JSON object nor a MessagePack map";

    decoding = arena;
    json = json_loadb(bytes.data, bytes.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    decoding = NULL;
    if (!json)
        return reason(arena, &error);
    return convert(json, arena, 0, out);
}
