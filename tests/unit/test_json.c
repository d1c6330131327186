/* JSON to trees: what is decoded to what, what is malformed and why, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tree.h"

#define J ACD_ENCODING_JSON

struct row {
    const char *input;
    const char *expected;
};

static struct acd_arena arena;

static int begin(void **state)
{
    acd_arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    acd_arena_free(&arena);
    return 0;
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *actual = decoded_text(&arena, J, acd_slice_str(rows[i].input));

        if (strcmp(actual, rows[i].expected) != 0)
            fail_msg("%s\n  gave:     %s\n  expected: %s", rows[i].input, actual, rows[i].expected);
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_decoded(void **state)
{
    static const struct row rows[] = {
        {"{}", "{}"},
        {" \r\n\t{ } \n", "{}"},
        {"{\"b\":1,\"a\":[true,false,null]}", "{b:1 a:[true false null]}"},
        {"{\"a\":{\"b\":{\"c\":\"d\"}}}", "{a:{b:{c:'d'}}}"},
        {"{\"\":\"\"}", "{:''}"},
        {"{\"a\":9223372036854775807,\"b\":-9223372036854775808}",
         "{a:9223372036854775807 b:-9223372036854775808}"},
        {"{\"a\":-0,\"b\":3.0,\"c\":1e2,\"d\":-0.5}", "{a:0 b:double(3) c:double(100) d:double(-0.5)}"},
        {"{\"a\":1e-400}", "{a:double(0)}"},
        {"{\"a\":\"\\u00e9\\ud83d\\ude00 \\\"\\\\\\/\\n\"}", "{a:'é😀 \"\\/\n'}"},
        {"{\"\\u0061\":\"é😀\"}", "{a:'é😀'}"},
        {"{\"i\":1,\"h\":2,\"g\":3,\"f\":4,\"e\":5,\"d\":6,\"c\":7,\"b\":8,\"a\":9,\"0\":10}",
         "{i:1 h:2 g:3 f:4 e:5 d:6 c:7 b:8 a:9 0:10}"},
    };

    CHECK_ROWS(rows);
}

static void test_malformed(void **state)
{
    static const char none[] = "the value is neither a JSON object nor a MessagePack map";
    static const struct row rows[] = {
        {"", "the value is empty; send a JSON object or a MessagePack map"},
        {"  ", none},
        {"[1]", none},
        {"\"text\"", none},
        {"12", none},
        {"null", none},
        {"\x01\x02\x03", none},
        {"\xef\xbb\xbf{}", none},
        {"{", "the JSON ends too early, at byte 1"},
        {"{\"a\"", "the JSON ends too early, at byte 4"},
        {"{\"a\":", "the JSON ends too early, at byte 5"},
        {"{\"a\":1", "the JSON ends too early, at byte 6"},
        {"{\"a\":-", "the JSON ends too early, at byte 6"},
        {"{\"a\":\"b", "the JSON ends too early, at byte 7"},
        {"{\"a\":\"b\\", "the JSON ends too early, at byte 8"},
        {"{\"a\":\"b\\\"", "the JSON ends too early, at byte 9"},
        {"{\"a\":[1", "the JSON ends too early, at byte 7"},
        {"{}x", "something follows the JSON object, at byte 2"},
        {"{} {}", "something follows the JSON object, at byte 3"},
        {"{\"a\":1,\"a\":1}", "a key of the JSON comes twice in the object at byte 0: a"},
        {"{\"b\":[{\"a\":1,\"c\":2,\"a\":3}]}", "a key of the JSON comes twice in the object at byte 6: a"},
        {"{\"a\":1,\"\\u0061\":1}", "a key of the JSON comes twice in the object at byte 0: a"},
        {"{\"\":1,\"\":1}", "a key of the JSON comes twice in the object at byte 0: "},
        {"{\"a\\n\":1,\"a\\n\":1}",
         "a key of the JSON comes twice in the object at byte 0: one with control characters"},
        {"{\"a\\u0000b\":1}", "a key of the JSON holds a NUL, at byte 1"},
        {"{\"a\":9223372036854775808}",
         "a number of the JSON is larger than a 64 bit integer or a double can be, at byte 5"},
        {"{\"a\":-9223372036854775809}",
         "a number of the JSON is larger than a 64 bit integer or a double can be, at byte 5"},
        {"{\"a\":1e400}",
         "a number of the JSON is larger than a 64 bit integer or a double can be, at byte 5"},
        {"{\"a\":NaN}", "the JSON is wrong at byte 5: expected a value, found N"},
        {"{\"a\":-Infinity}", "the JSON is wrong at byte 6: expected a digit, found I"},
        {"{\"a\":.5}", "the JSON is wrong at byte 5: expected a value, found ."},
        {"{\"a\":5.}", "the JSON is wrong at byte 7: expected a digit, found }"},
        {"{\"a\":5e+}", "the JSON is wrong at byte 8: expected a digit, found }"},
        {"{\"a\":+5}", "the JSON is wrong at byte 5: expected a value, found +"},
        {"{\"a\":01}", "the JSON is wrong at byte 6: expected ',' or '}', found 1"},
        {"{\"a\":0x1}", "the JSON is wrong at byte 6: expected ',' or '}', found x"},
        {"{\"a\":\"\xff\"}", "the JSON is not valid UTF-8, in the string at byte 5"},
        {"{\"\xed\xa0\x80\":1}", "the JSON is not valid UTF-8, in the string at byte 1"},
        {"{\"a\":\"0123456\xc0\x80\"}", "the JSON is not valid UTF-8, in the string at byte 5"},
        {"{\"a\":\"\xe2\x82\"}", "the JSON is not valid UTF-8, in the string at byte 5"},
        {"{\"a\":\"\\ud800\"}",
         "the JSON is wrong at byte 6: one half of a surrogate pair without the other"},
        {"{\"a\":\"\\ud800\\u0061\"}",
         "the JSON is wrong at byte 6: one half of a surrogate pair without the other"},
        {"{\"a\":\"x\\udc00\"}",
         "the JSON is wrong at byte 7: one half of a surrogate pair without the other"},
        {"{\"a\":\"\\u00g0\"}", "the JSON is wrong at byte 6: JSON has no such escape"},
        {"{\"a\":\"\\u00\"}", "the JSON is wrong at byte 6: JSON has no such escape"},
        {"{\"a\":\"\\x\"}", "the JSON is wrong at byte 6: JSON has no such escape"},
        {"{\"a\":\"x\ny\"}",
         "the JSON is wrong at byte 7: a control character in a string; it must be escaped"},
        {"{\"a\":\"\x01\"}",
         "the JSON is wrong at byte 6: a control character in a string; it must be escaped"},
        {"{\"a\":1,}", "the JSON is wrong at byte 7: expected a key, found }"},
        {"{,}", "the JSON is wrong at byte 1: expected a key or '}', found ,"},
        {"{\"a\" 1}", "the JSON is wrong at byte 5: expected ':', found 1"},
        {"{\"a\":[1,]}", "the JSON is wrong at byte 8: expected a value, found ]"},
        {"{\"a\":[}", "the JSON is wrong at byte 6: expected a value, found }"},
        {"{\"a\":[1}", "the JSON is wrong at byte 7: expected ',' or ']', found }"},
        {"{]", "the JSON is wrong at byte 1: expected a key or '}', found ]"},
        {"{'a':1}", "the JSON is wrong at byte 1: expected a key or '}', found '"},
        {"{1:1}", "the JSON is wrong at byte 1: expected a key or '}', found 1"},
        {"{\"a\":\x7f}", "the JSON is wrong at byte 5: expected a value, found the byte 7f"},
        {"{\"a\":é}", "the JSON is wrong at byte 5: expected a value, found the byte c3"},
        {"{\"a\":1 /* */}", "the JSON is wrong at byte 7: expected ',' or '}', found /"},
        {"{\"a\":truth}", "the JSON is wrong at byte 5: expected true, false or null, found t"},
        {"{\"a\":truetrue}", "the JSON is wrong at byte 9: expected ',' or '}', found t"},
    };

    CHECK_ROWS(rows);
    assert_string_equal(decoded_text(&arena, J, acd_slice(NULL, 0)),
                        "the value is null; send a JSON object or a MessagePack map");
    assert_string_equal(decoded_text(&arena, J, acd_slice("{}\0", 3)),
                        "something follows the JSON object, at byte 2");
    assert_string_equal(decoded_text(&arena, J, acd_slice("{\"a\":1\0}", 8)),
                        "the JSON is wrong at byte 6: expected ',' or '}', found the byte 00");
}

/* That a string may hold a NUL is the decoder's business, that no field takes it is the core's. */
static void test_string_with_nul(void **state)
{
    struct acd_value value;
    const char *wrong = acd_codec_decode(J, acd_slice_str("{\"a\":\"x\\u0000y\"}"), &arena, &value);

    assert_null(wrong);
    assert_int_equal(value.members[0].value.string.len, 3);
    assert_memory_equal(value.members[0].value.string.data, "x\0y", 3);
}

/* Of this thread's processor time, so that a busy machine fails nothing. */
static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A megabyte of {"a":[item,item,…]}, or of members that are numbered. */
static struct acd_slice megabyte(const char *item)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, &arena, 2 << 20);
    acd_buffer_add_str(&buffer, item ? "{\"a\":[" : "{");
    for (int i = 0; buffer.len < 1 << 20; i++) {
        acd_buffer_add_str(&buffer, i ? "," : "");
        if (item)
            acd_buffer_add_str(&buffer, item);
        else
            acd_buffer_add_slice(&buffer, acd_arena_format(&arena, "\"%x\":0", i));
    }
    acd_buffer_add_str(&buffer, item ? "]}" : "}");
    return acd_buffer_slice(&buffer);
}

/* 12 bytes for each at most, less than 3 for a command; and the arena's first chunk. */
static void test_takes_little_memory(void **state)
{
    static const struct {
        const char *item;
        size_t most; /* bytes for each byte of the message */
    } rows[] = {
        {"0", 12},
        {"[]", 12},
        {"[0]", 12},
        {"{}", 12},
        {"{\"\":0}", 12},
        {"{\"\\n\":0}", 12},
        {"\"\\n\"", 12},
        {"0.5", 12},
        {"[[[0,[0]],\"\\u0041\"],{\"a\":{}}]", 12},
        {"\"\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\"", 2},
        {"{\"account\":\"alice-000017\",\"profile\":{\"nickname\":\"Alice\",\"signature\":\"a \\\"b\\\"\","
         "\"level\":7}}",
         3},
        {NULL, 12},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acd_slice bytes = megabyte(rows[i].item);
        struct acd_arena own;
        struct acd_value value;

        acd_arena_init(&own);
        assert_null(acd_codec_decode(J, bytes, &own, &value));
        if (own.allocated > rows[i].most * bytes.len + (64 << 10))
            fail_msg("%zu bytes of %s took %zu", bytes.len, rows[i].item ? rows[i].item : "members",
                     own.allocated);
        acd_arena_free(&own);
    }
}

static void test_mistakes_take_little_memory(void **state)
{
    static const char *const pieces[] = {",", "1,", "{},", "\"\":", "\"\":[1,", "[}", "{]", "\"\\n\","};
    enum { BYTES = 1 << 20 };
    char *text = acd_arena_alloc(&arena, BYTES);

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct acd_arena own;
        struct acd_value value;

        text[0] = '{';
        for (size_t at = 1; at < BYTES; at++)
            text[at] = pieces[i][(at - 1) % strlen(pieces[i])];
        /* What is small goes into the chunk that is there. */
        acd_arena_init(&own);
        acd_arena_alloc(&own, 1);
        assert_non_null(acd_codec_decode(J, acd_slice(text, BYTES), &own, &value));
        if (own.allocated > 13 * BYTES + (128 << 10))
            fail_msg("a megabyte of %s took %zu", pieces[i], own.allocated);
        acd_arena_free(&own);
    }
}

static void test_long_numbers(void **state)
{
    enum { DIGITS = 1 << 20 };
    static const struct {
        const char *before;
        const char *after;
        const char *expected;
    } rows[] = {
        {"", "", "a number of the JSON is larger than a 64 bit integer or a double can be, at byte 5"},
        {"", ".5", "a number of the JSON is larger than a 64 bit integer or a double can be, at byte 5"},
        {"", "e-1048576", "{a:double(0.77777777777777779)}"},
        {"0.", "", "{a:double(0.77777777777777779)}"},
        {"-0.", "e0001", "{a:double(-7.7777777777777777)}"},
        {"1e-", "", "{a:double(0)}"},
        {"1e", "", "a number of the JSON is larger than a 64 bit integer or a double can be, at byte 5"},
        {"0e", "", "{a:double(0)}"},
    };
    char *digits = memset(acd_arena_alloc(&arena, DIGITS + 1), '7', DIGITS);
    double start = seconds();

    digits[DIGITS] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acd_slice text =
            acd_arena_format(&arena, "{\"a\":%s%s%s}", rows[i].before, digits, rows[i].after);
        const char *actual = decoded_text(&arena, J, text);

        if (strcmp(actual, rows[i].expected) != 0)
            fail_msg("%s…%s\n  gave:     %s\n  expected: %s", rows[i].before, rows[i].after, actual,
                     rows[i].expected);
    }
    /* 0.02 s is usual. */
    if (seconds() - start > 5)
        fail_msg("long numbers took %.2f s", seconds() - start);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_decoded),
        TEST(test_malformed),
        TEST(test_string_with_nul),
        TEST(test_takes_little_memory),
        TEST(test_mistakes_take_little_memory),
        TEST(test_long_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
