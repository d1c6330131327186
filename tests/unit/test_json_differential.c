/* The JSON decoder beside jansson, which accountd does not decode with: mutations of documents are refused by
 * both, or give the same tree. Each is made from its number, which a failure names. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tree.h"

#define ROUNDS      100000u
#define MESSAGE_MAX 4096

static const char *const documents[] = {
    "{\"v\":1,\"id\":\"c-1\",\"op\":\"create\",\"app\":\"demo\",\"account\":\"alice\",\"profile\":{"
    "\"nickname\":"
    "\"Alice\",\"level\":7,\"custom\":{\"Tag\":\"x\",\"Other\":null}},\"dry_run\":false,\"after\":true}",
    "{\"app\":\"demo\",\"account\":\"bob\",\"type\":\"general\",\"revision\":17,\"created_at\":"
    "\"2023-11-14T22:13:20.000Z\",\"profile\":{\"nickname\":\"Боб \\\"x\\\" 😀\",\"signature\":\"a\\nb\"}}",
    "{ \"a\" : [ 1 , -0 , 1.5e-3 , [ ] , { } , [ [ \"\" ] ] ] ,\r\n\t\"b\" : [ {\"c\":[]}, {\"c\":{}} ] }",
    "{\"\\u0061\\ud83d\\ude00\":\"\\\\\\/"
    "\\b\\f\\n\\r\\t\\u00e9\\u20AC\\u0000\",\"é\":\"é€😀\xf4\x8f\xbf\xbf\"}",
    "{\"n\":[9223372036854775807,-9223372036854775808,9223372036854775808,0.1,1e308,1E+2,-2e-5,4.9e-324,"
    "123456789012345678901234567890.5,0e9,-0.0,1e400]}",
    "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,"
    "\"m\":13,"
    "\"n\":14,\"o\":15,\"p\":16,\"q\":17,\"r\":18,\"s\":19,\"t\":20,\"u\":21,\"v\":22,\"w\":23,\"x\":24,"
    "\"y\":25,"
    "\"z\":26,\"A\":27,\"B\":28,\"C\":29,\"D\":30,\"E\":31,\"F\":32,\"G\":33,\"H\":34,\"ab\":35,\"ba\":36}",
    "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}",
    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}}",
    "{}",
};

/* What JSON is made of, and what looks like it. */
static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"a\"",
    "\"a\":1",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\\u0000",
    "\\n",
    "\\x",
    "true",
    "nul",
    "false",
    "null",
    "-",
    "0",
    "1",
    ".",
    "e",
    "E+",
    "1e5",
    "1.0",
    "9999999999999",
    "e-999",
    "\xc3\xa9",
    "\xed\xa0\x80",
    "\xf0\x9f\x98\x80",
    "\xc0\x80",
    "\x80",
    "\xff",
    "\x7f",
    "\x1f",
    " ",
    "\n",
    "\t",
    "\r",
    "\v",
    "[]",
    "{}",
    "[[[[[[[[",
    "]]]]]]]]",
    "//",
    "NaN",
    "'",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* xorshift64*: the same numbers everywhere. */
static uint32_t next(uint64_t *random, size_t below)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (uint32_t)((*random * UINT64_C(2685821657736338717) >> 33) % below);
}

/* Replaces `gone` bytes of the text. */
static void splice(char *text, size_t *len, size_t at, size_t gone, const char *new, size_t count)
{
    if (*len - gone + count > MESSAGE_MAX)
        return;
    memmove(text + at + count, text + at + gone, *len - at - gone);
    memcpy(text + at, new, count);
    *len = *len - gone + count;
}

static void mutate(uint64_t *random, char *text, size_t *len)
{
    size_t at = next(random, *len + 1);
    size_t left = *len - at;
    const char *piece = pieces[next(random, COUNT(pieces))];
    const char *other = documents[next(random, COUNT(documents))];
    size_t from = next(random, strlen(other) + 1);
    char copy[64];
    size_t count;

    switch (next(random, 6)) {
    case 0: /* a byte */
        copy[0] = (char)next(random, 256);
        splice(text, len, at, left ? 1 : 0, copy, 1);
        break;
    case 1: /* a piece more */
        splice(text, len, at, 0, piece, strlen(piece));
        break;
    case 2: /* a piece instead */
        splice(text, len, at, next(random, (left < 4 ? left : 4) + 1), piece, strlen(piece));
        break;
    case 3: /* some bytes less */
        splice(text, len, at, next(random, (left < 16 ? left : 16) + 1), "", 0);
        break;
    case 4: /* some of its own bytes once more, there or elsewhere */
        count = next(random, (left < sizeof(copy) ? left : sizeof(copy)) + 1);
        memcpy(copy, text + at, count);
        splice(text, len, next(random, *len + 1), 0, copy, count);
        break;
    default: /* some of another document */
        splice(text, len, at, 0, other + from, next(random, strlen(other) - from + 1));
    }
}

static bool same(const struct acd_value *value, json_t *json);

/* jansson iterates in the order of the message. */
static bool same_map(const struct acd_value *map, json_t *json)
{
    void *at = json_object_iter(json);

    for (uint32_t i = 0; i < map->count; i++, at = json_object_iter_next(json, at)) {
        struct acd_slice key = map->members[i].key;

        if (!at || !acd_slice_equal(key, acd_slice(json_object_iter_key(at), json_object_iter_key_len(at))) ||
            !same(&map->members[i].value, json_object_iter_value(at)))
            return false;
    }
    return !at;
}

static bool same_array(const struct acd_value *array, json_t *json)
{
    for (uint32_t i = 0; i < array->count; i++)
        if (!same(&array->items[i], json_array_get(json, i)))
            return false;
    return json_array_size(json) == array->count;
}

static bool same(const struct acd_value *value, json_t *json)
{
    double number = json_real_value(json);

    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return value->kind == ACD_MAP && same_map(value, json);
    case JSON_ARRAY:
        return value->kind == ACD_ARRAY && same_array(value, json);
    case JSON_STRING:
        return value->kind == ACD_STRING &&
               acd_slice_equal(value->string, acd_slice(json_string_value(json), json_string_length(json)));
    case JSON_INTEGER:
        return value->kind == ACD_INT && value->integer == json_integer_value(json);
    case JSON_REAL: /* bit by bit: -0.0 is not 0.0 */
        return value->kind == ACD_DOUBLE && memcmp(&value->number, &number, sizeof(number)) == 0;
    case JSON_TRUE:
    case JSON_FALSE:
        return value->kind == ACD_BOOL && value->boolean == json_is_true(json);
    case JSON_NULL:
        return value->kind == ACD_NULL;
    }
    return false;
}

static bool deeper_than(json_t *json, int levels)
{
    bool deeper = (json_is_array(json) || json_is_object(json)) && levels == 0;
    const char *key;
    json_t *child;
    size_t i;

    if (deeper)
        return true;
    json_array_foreach(json, i, child) deeper = deeper || deeper_than(child, levels - 1);
    json_object_foreach(json, key, child) deeper = deeper || deeper_than(child, levels - 1);
    return deeper;
}

/* jansson takes more levels, arrays too, and passes over a NUL that comes right after a number or a word. */
static bool jansson_takes(struct acd_slice bytes, json_t **out)
{
    bool nul = memchr(bytes.data, 0, bytes.len);

    *out = nul ? NULL : json_loadb(bytes.data, bytes.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    return json_is_object(*out) && !deeper_than(*out, ACD_DEPTH_MAX);
}

/* Returns whether both take the message, which is of its own size, so that a sanitizer sees its end. */
static bool check(unsigned round, const char *text, size_t len)
{
    char *exact = malloc(len ? len : 1);
    struct acd_slice bytes = acd_slice(memcpy(exact, text, len), len);
    struct acd_arena arena;
    struct acd_value value;
    const char *wrong;
    json_t *expected;
    bool takes = jansson_takes(bytes, &expected);

    acd_arena_init(&arena);
    wrong = acd_codec_decode(ACD_ENCODING_JSON, bytes, &arena, &value);
    if (!wrong != takes)
        fail_msg("round %u: %s, unlike by jansson: %.*s", round, wrong ? wrong : "accepted",
                 ACD_SLICE_ARGS(bytes));
    if (!wrong && !same(&value, expected))
        fail_msg("round %u: %s, unlike by jansson: %.*s", round, tree_text(&arena, &value),
                 ACD_SLICE_ARGS(bytes));
    json_decref(expected);
    acd_arena_free(&arena);
    free(exact);
    return takes;
}

static void test_documents(void **state)
{
    for (unsigned i = 0; i < COUNT(documents); i++)
        check(i, documents[i], strlen(documents[i]));
}

static void test_mutations(void **state)
{
    static char text[MESSAGE_MAX];
    unsigned taken = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t random = UINT64_C(0x9e3779b97f4a7c15) * (round + 1);
        const char *document = documents[next(&random, COUNT(documents))];
        size_t len = strlen(document);

        memcpy(text, document, len);
        for (uint32_t times = next(&random, 3) + 1; times > 0; times--)
            mutate(&random, text, &len);
        taken += check(round, text, len);
    }
    /* Were nearly all of them refused, the trees would not be compared. */
    assert_in_range(taken, ROUNDS / 20, ROUNDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
