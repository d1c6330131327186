/* JSON (RFC 8259) → acd_value, straight from the bytes.
 *
 * The message is walked once to learn how much memory its tree takes, and read once into exactly that. So the
 * tree takes at most 12 bytes for each byte of a message (`[0,0,0…`), some 3 of an ordinary one.
 */
#include "json.h"

#include <assert.h>

#include "accountd/text.h"

#define KEY_BYTES_MAX 60 /* of a key in a reason */

bool acd_json_wrong(struct acd_json *json, const unsigned char *at, const char *what)
{
    json->wrong =
        acd_arena_format(json->arena, "the JSON is wrong at byte %zu: %s", (size_t)(at - json->begin), what)
            .data;
    return false;
}

bool acd_json_expected(struct acd_json *json, const char *what)
{
    size_t at = (size_t)(json->at - json->begin);

    if (json->at == json->end)
        json->wrong = acd_arena_format(json->arena, "the JSON ends too early, at byte %zu", at).data;
    else if (*json->at > ' ' && *json->at <= '~')
        json->wrong = acd_arena_format(json->arena, "the JSON is wrong at byte %zu: expected %s, found %c",
                                       at, what, *json->at)
                          .data;
    else
        json->wrong =
            acd_arena_format(json->arena, "the JSON is wrong at byte %zu: expected %s, found the byte %02x",
                             at, what, *json->at)
                .data;
    return false;
}

static bool read_value(struct acd_json *json, struct acd_value *out);

/* The next byte that is not blank, or -1 at the end. */
static int peek(struct acd_json *json)
{
    while (json->at < json->end && acd_json_blank(*json->at))
        json->at++;
    return json->at < json->end ? *json->at : -1;
}

/* Room for one more child of the container that was opened last. */
static void *add_child(struct acd_json *json, size_t bytes)
{
    char *child = json->open;

    assert((size_t)(json->closed - json->open) >= bytes);
    json->open += bytes;
    return child;
}

/* Moves the children of a container to where they stay, which may overlap. */
static void *close_container(struct acd_json *json, char *children)
{
    size_t bytes = (size_t)(json->open - children);

    json->open = children;
    json->closed -= bytes;
    return memmove(json->closed, children, bytes);
}

/* Steps over a comma or the closing bracket; `more` tells which. */
static bool read_separator(struct acd_json *json, int closing, const char *expected, bool *more)
{
    int next = peek(json);

    if (next != ',' && next != closing)
        return acd_json_expected(json, expected);
    *more = next == ',';
    json->at++;
    return true;
}

static bool read_array(struct acd_json *json, struct acd_value *out)
{
    char *children = json->open;
    uint32_t count = 0;
    bool more;

    json->at++;
    more = peek(json) != ']';
    if (!more)
        json->at++;
    for (; more; count++)
        if (!read_value(json, add_child(json, sizeof(struct acd_value))) ||
            !read_separator(json, ']', "',' or ']'", &more))
            return false;
    *out = (struct acd_value){.kind = ACD_ARRAY, .count = count, .items = close_container(json, children)};
    return true;
}

/* The key and the colon after it. */
static bool read_key(struct acd_json *json, const char *expected, struct acd_slice *key)
{
    const unsigned char *start;

    if (peek(json) != '"')
        return acd_json_expected(json, expected);
    start = json->at;
    if (!acd_json_string(json, key))
        return false;
    /* A NUL comes as an escape only, and then the key is not where it stands in the message. */
    if (key->data != (const char *)start + 1 && memchr(key->data, 0, key->len)) {
        json->wrong = acd_arena_format(json->arena, "a key of the JSON holds a NUL, at byte %zu",
                                       (size_t)(start - json->begin))
                          .data;
        return false;
    }
    if (peek(json) != ':')
        return acd_json_expected(json, "':'");
    json->at++;
    return true;
}

/* A reason is plain text on one line. */
static bool twice(struct acd_json *json, struct acd_slice key, const unsigned char *start)
{
    key.len = acd_utf8_cut(key, KEY_BYTES_MAX);
    if (acd_text_has_control(key, false))
        key = acd_slice_str("one with control characters");
    json->wrong =
        acd_arena_format(json->arena, "a key of the JSON comes twice in the object at byte %zu: %.*s",
                         (size_t)(start - json->begin), ACD_SLICE_ARGS(key))
            .data;
    return false;
}

static bool read_map(struct acd_json *json, struct acd_value *out)
{
    const char *expected = "a key or '}'";
    const unsigned char *start = json->at;
    char *children = json->open;
    struct acd_slice key;
    uint32_t count = 0;
    bool more;

    json->at++;
    more = peek(json) != '}';
    if (!more)
        json->at++;
    for (; more; count++) {
        struct acd_member *member = add_child(json, sizeof(*member));

        if (!read_key(json, expected, &member->key) || !read_value(json, &member->value) ||
            !read_separator(json, '}', "',' or '}'", &more))
            return false;
        expected = "a key";
    }
    *out = (struct acd_value){.kind = ACD_MAP, .count = count, .members = close_container(json, children)};
    key = acd_key_twice(out->members, count, json->arena);
    return !key.data || twice(json, key, start);
}

static bool read_word(struct acd_json *json, const char *word, struct acd_value value, struct acd_value *out)
{
    size_t len = strlen(word);

    if ((size_t)(json->end - json->at) < len || memcmp(json->at, word, len) != 0)
        return acd_json_expected(json, "true, false or null");
    json->at += len;
    *out = value;
    return true;
}

/* As deep as the measure has allowed. */
static bool read_value(struct acd_json *json, struct acd_value *out)
{
    switch (peek(json)) {
    case '"':
        *out = (struct acd_value){.kind = ACD_STRING};
        return acd_json_string(json, &out->string);
    case '{':
        return read_map(json, out);
    case '[':
        return read_array(json, out);
    case 't':
        return read_word(json, "true", (struct acd_value){.kind = ACD_BOOL, .boolean = true}, out);
    case 'f':
        return read_word(json, "false", (struct acd_value){.kind = ACD_BOOL}, out);
    case 'n':
        return read_word(json, "null", (struct acd_value){.kind = ACD_NULL}, out);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return acd_json_number(json, out);
    default:
        return acd_json_expected(json, "a value");
    }
}

const char *acd_json_decode(struct acd_slice bytes, struct acd_arena *arena, struct acd_value *out)
{
    const unsigned char *begin = (const unsigned char *)bytes.data;
    struct acd_json json = {.begin = begin, .at = begin, .end = begin + bytes.len, .arena = arena};
    const char *wrong;
    struct acd_json_size size;

    if (peek(&json) != '{')
        return "the value is neither a JSON object nor a MessagePack map";
    wrong = acd_json_measure(&json, &size);
    if (wrong)
        return wrong;
    json.open = acd_arena_alloc(arena, size.tree + size.text);
    json.closed = json.open + size.tree;
    json.text = json.closed;
    json.text_end = json.text + size.text;
    if (!read_map(&json, out))
        return json.wrong;
    if (peek(&json) != -1)
        return acd_arena_format(arena, "something follows the JSON object, at byte %zu",
                                (size_t)(json.at - begin))
            .data;
    return NULL;
}
