/* Which encoding a message has, by its content type or its first byte, and the frame that is skipped. */
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

static void test_choose(void **state)
{
    static const struct {
        const char *content_type;
        const char *value;
        enum acd_encoding expected;
    } rows[] = {
        {NULL, "7b 7d", J},
        {NULL, "80", M},
        {NULL, "8f", M},
        {NULL, "90", J},
        {NULL, "7f", J},
        {NULL, "de 0000", M},
        {NULL, "df 00000000", M},
        {NULL, "dd 00000000", J},
        {NULL, "", J},
        {"", "80", M},
        {"application/json", "80", J},
        {"Application/JSON; charset=utf-8", "80", J},
        {"application/json;charset=utf-8", "80", J},
        {" application/json ", "80", J},
        {"\tapplication/json\t; charset=utf-8", "80", J},
        {"application/msgpack", "7b 7d", M},
        {"application/x-msgpack", "7b 7d", M},
        {"application/vnd.msgpack ; v=1", "7b 7d", M},
        {"application/octet-stream", "7b 7d", J},
        {"application/octet-stream", "80", M},
        {"application/jsonx", "80", M},
        {"application/jso", "80", M},
        {"application/jsan", "80", M},
        {"json", "80", M},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum acd_encoding actual =
            acd_codec_choose(acd_slice_str(rows[i].content_type), hex_bytes(&arena, rows[i].value));

        if (actual != rows[i].expected)
            fail_msg("content type '%s', value %s: chose %s",
                     rows[i].content_type ? rows[i].content_type : "", rows[i].value,
                     acd_encoding_content_type(actual));
    }
}

static void test_unframe(void **state)
{
    static const struct {
        const char *input; /* in hex */
        const char *expected;
    } rows[] = {
        {"00 00000001 7b7d", "{}"},
        {"00 ffffffff 7b7d", "{}"},
        {"7b7d", "{}"},
        {"7b 2261223a31 7d", "{a:1}"},
        {"00 00000001", "the value is empty; send a JSON object or a MessagePack map"},
        {"00 000001", "the value is neither a JSON object nor a MessagePack map"},
        {"00 00000001 00 00000001 7b7d", "the value is neither a JSON object nor a MessagePack map"},
        {"00 00000001 80", "{}"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acd_slice value = acd_codec_unframe(hex_bytes(&arena, rows[i].input));
        enum acd_encoding encoding = acd_codec_choose(acd_slice(NULL, 0), value);

        assert_string_equal(decoded_text(&arena, encoding, value), rows[i].expected);
    }
    assert_null(acd_codec_unframe(acd_slice(NULL, 0)).data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_choose),
        TEST(test_unframe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
