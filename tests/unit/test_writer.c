/* What is written in JSON and MessagePack is read back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tree.h"

#define J ACD_ENCODING_JSON
#define M ACD_ENCODING_MSGPACK

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

static void test_escapes(void **state)
{
    static const struct {
        struct acd_slice text;
        const char *expected;
    } rows[] = {
        {ACD_LITERAL(""), "\"\""},
        {ACD_LITERAL("plain é😀"), "\"plain é😀\""},
        {ACD_LITERAL("\"\\/"), "\"\\\"\\\\/\""},
        {ACD_LITERAL("a\nb\tc\rd\be\f"), "\"a\\nb\\tc\\rd\\be\\f\""},
        {ACD_LITERAL("\0\x01\x0f\x10\x1f"), "\"\\u0000\\u0001\\u000f\\u0010\\u001f\""},
        {ACD_LITERAL("x\x7f\xc2\x80y"), "\"x\x7f\xc2\x80y\""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acd_writer writer;

        acd_writer_init(&writer, J, &arena);
        acd_writer_string(&writer, rows[i].text);
        acd_buffer_add_char(&writer.buffer, '\0');
        assert_string_equal(writer.buffer.data, rows[i].expected);
    }
}

/* Longer than the writer's first block, with an escape every other byte: the room is reserved anew often. */
static void test_strings_come_back(void **state)
{
    enum { BYTES = 100000 };
    char *text = acd_arena_alloc(&arena, BYTES);

    for (size_t i = 0; i < BYTES; i++)
        text[i] = i % 2 ? 'x' : (char)(i / 2 % 128);
    for (enum acd_encoding encoding = J; encoding <= M; encoding++) {
        struct acd_writer writer;
        struct acd_value value;

        acd_writer_init(&writer, encoding, &arena);
        acd_writer_map(&writer, 1);
        acd_writer_key(&writer, "text");
        acd_writer_string(&writer, acd_slice(text, BYTES));
        acd_writer_end(&writer);
        assert_null(acd_codec_decode(encoding, acd_buffer_slice(&writer.buffer), &arena, &value));
        assert_true(acd_slice_equal(value.members[0].value.string, acd_slice(text, BYTES)));
    }
}

static void write_all_kinds(struct acd_writer *writer)
{
    static const int64_t numbers[] = {0,     -1,        127,       128,       -32,      -33,
                                      65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    const uint32_t count = sizeof(numbers) / sizeof(numbers[0]);

    acd_writer_map(writer, 6);
    acd_writer_key(writer, "numbers");
    acd_writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++)
        acd_writer_int(writer, numbers[i]);
    acd_writer_end(writer);
    acd_writer_key_slice(writer, acd_slice_str("a \"key\""));
    acd_writer_map(writer, 1);
    acd_writer_key(writer, "empty");
    acd_writer_array(writer, 0);
    acd_writer_end(writer);
    acd_writer_end(writer);
    acd_writer_key(writer, "yes");
    acd_writer_bool(writer, true);
    acd_writer_key(writer, "no");
    acd_writer_bool(writer, false);
    acd_writer_key(writer, "nothing");
    acd_writer_null(writer);
    acd_writer_key(writer, "at");
    acd_writer_time(writer, 1795378148123);
    acd_writer_end(writer);
}

static void test_writer(void **state)
{
    struct acd_writer writer;

    for (enum acd_encoding encoding = J; encoding <= M; encoding++) {
        acd_writer_init(&writer, encoding, &arena);
        write_all_kinds(&writer);
        assert_string_equal(decoded_text(&arena, encoding, acd_buffer_slice(&writer.buffer)),
                            "{numbers:[0 -1 127 128 -32 -33 65536 2147483647 -2147483648 "
                            "9223372036854775807 -9223372036854775808] a \"key\":{empty:[]} "
                            "yes:true no:false nothing:null at:'2026-11-22T20:09:08.123Z'}");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_escapes),
        TEST(test_strings_come_back),
        TEST(test_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
