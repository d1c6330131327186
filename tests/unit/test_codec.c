/* Bytes to trees: MessagePack, and what both encodings have in common. JSON itself is in test_json.c. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tree.h"

#define J ACD_ENCODING_JSON
#define M ACD_ENCODING_MSGPACK

struct row {
    const char *input; /* JSON, or MessagePack in hex */
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

static void check_rows(enum acd_encoding encoding, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct acd_slice bytes =
            encoding == J ? acd_slice_str(rows[i].input) : hex_bytes(&arena, rows[i].input);
        const char *actual = decoded_text(&arena, encoding, bytes);

        if (strcmp(actual, rows[i].expected) != 0)
            fail_msg("%s\n  gave:     %s\n  expected: %s", rows[i].input, actual, rows[i].expected);
    }
}

#define CHECK_ROWS(encoding, rows) check_rows(encoding, rows, sizeof(rows) / sizeof((rows)[0]))

static void test_msgpack(void **state)
{
    static const struct row rows[] = {
        {"80", "{}"},
        {"de 0000", "{}"},
        {"df 00000000", "{}"},
        {"82 a1 62 01 a1 61 93 c3 c2 c0", "{b:1 a:[true false null]}"},
        {"81 d9 01 61 da 0002 6262", "{a:'bb'}"},
        {"81 db 00000001 61 dc 0001 a1 62", "{a:['b']}"},
        {"81 a0 dd 00000000", "{:[]}"},
        {"81 a1 61 82 a1 62 7f a1 63 e0", "{a:{b:127 c:-32}}"},
        {"81 a1 61 94 cc ff cd ffff ce ffffffff cf 7fffffffffffffff",
         "{a:[255 65535 4294967295 9223372036854775807]}"},
        {"81 a1 61 94 d0 80 d1 8000 d2 80000000 d3 8000000000000000",
         "{a:[-128 -32768 -2147483648 -9223372036854775808]}"},
        {"81 a1 61 92 d3 0000000000000005 d0 05", "{a:[5 5]}"},
        {"81 a1 61 92 ca 3f000000 cb 4008000000000000", "{a:[double(0.5) double(3)]}"},
        {"81 a1 61 93 c4 01 ff c5 0002 ffff c6 00000000", "{a:[bytes(1) bytes(2) bytes(0)]}"},
        {"81 a1 61 93 d4 01 ff d5 01 ffff d6 ff 00000000", "{a:[bytes(1) bytes(2) bytes(4)]}"},
        {"81 a1 61 92 d7 ff 0000000000000000 d8 01 00000000000000000000000000000000",
         "{a:[bytes(8) bytes(16)]}"},
        {"81 a1 61 93 c7 01 05 ff c8 0001 05 ff c9 00000001 05 ff", "{a:[bytes(1) bytes(1) bytes(1)]}"},
        {"81 a2 c3a9 a4 f09f9880", "{é:'😀'}"},
    };

    CHECK_ROWS(M, rows);
}

static void test_msgpack_malformed(void **state)
{
    static const struct row rows[] = {
        {"", "the value is empty; send a JSON object or a MessagePack map"},
        {"c0", "the value is no MessagePack map"},
        {"91 80", "the value is no MessagePack map"},
        {"7b 7d", "the value is no MessagePack map"},
        {"c1", "the MessagePack holds the byte c1, which begins no value, at byte 0"},
        {"81 a1 61 c1", "the MessagePack holds the byte c1, which begins no value, at byte 3"},
        {"81", "the MessagePack ends too early, at byte 0"},
        {"81 a1 61", "the MessagePack ends too early, at byte 3"},
        {"82 a1 61 01", "the MessagePack ends too early, at byte 4"},
        {"81 a1 61 cd ff", "the MessagePack ends too early, at byte 3"},
        {"81 a1 61 da 00", "the MessagePack ends too early, at byte 3"},
        {"81 a1 61 a2 62", "the MessagePack ends too early, at byte 3"},
        {"81 a1 61 92 01", "the MessagePack ends too early, at byte 3"},
        {"80 00", "something follows the MessagePack map, at byte 1"},
        {"81 a1 61 01 80", "something follows the MessagePack map, at byte 4"},
        {"81 01 01", "a key of a MessagePack map is no string, at byte 1"},
        {"81 90 01", "a key of a MessagePack map is no string, at byte 1"},
        {"81 c4 01 61 01", "a key of a MessagePack map is no string, at byte 1"},
        {"82 a1 61 01 c0 01", "a key of a MessagePack map is no string, at byte 4"},
        {"81 a1 61 91 81 c2 01", "a key of a MessagePack map is no string, at byte 5"},
        {"81 a1 00 01", "a key of the MessagePack holds a NUL"},
        {"81 a3 610062 01", "a key of the MessagePack holds a NUL"},
        {"82 a1 61 01 a1 61 02", "a key of a MessagePack map comes twice, at byte 5"},
        {"81 a1 62 91 82 a1 61 01 d9 01 61 02", "a key of a MessagePack map comes twice, at byte 10"},
        {"81 a1 62 92 82 a1 61 01 a1 61 02 03", "a key of a MessagePack map comes twice, at byte 9"},
        {"82 a0 01 a0 02", "an empty key of a MessagePack map comes twice"},
        {"81 a0 82 a0 81 a0 01 a0 02", "an empty key of a MessagePack map comes twice"},
        {"81 a1 61 cb 7ff8000000000000", "a number of the MessagePack is NaN or infinite"},
        {"81 a1 61 cb fff0000000000000", "a number of the MessagePack is NaN or infinite"},
        {"81 a1 61 ca 7f800000", "a number of the MessagePack is NaN or infinite"},
        {"81 a1 61 cf 8000000000000000",
         "a number of the MessagePack is larger than a signed 64 bit integer can be"},
        {"81 a1 61 a1 ff", "a string of the MessagePack is not valid UTF-8"},
        {"81 a1 61 92 01 a1 ff", "a string of the MessagePack is not valid UTF-8"},
        {"81 a1 ff 01", "a string of the MessagePack is not valid UTF-8"},
        {"81 a1 61 a3 eda080", "a string of the MessagePack is not valid UTF-8"},
    };

    CHECK_ROWS(M, rows);
    assert_string_equal(decoded_text(&arena, M, acd_slice(NULL, 0)),
                        "the value is null; send a JSON object or a MessagePack map");
}

/* msgpack-c on its own would reserve gigabytes for some of these. */
static void test_claims_beyond_the_message(void **state)
{
    static const char *const claims[] = {
        "df ffffffff a0",
        "de ffff a0 00 00",
        "81 a1 61 dd ffffffff 00",
        "81 a1 61 df ffffffff 00",
        "81 a1 61 db ffffffff 00",
        "81 a1 61 c6 ffffffff 00",
        "81 a1 61 c9 ffffffff 0000",
        "81 a1 61 dc ffff 00 00 00",
    };

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        const char *actual = decoded_text(&arena, M, hex_bytes(&arena, claims[i]));

        if (strncmp(actual, "the MessagePack ends too early", 30) != 0)
            fail_msg("%s\n  gave: %s", claims[i], actual);
    }
    assert_in_range(arena.allocated, 0, 4 << 20);
}

/* A map, then arrays in it: {"a":[[[…]]]}, closed where JSON wants it. */
static struct acd_slice nested(enum acd_encoding encoding, size_t levels)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, &arena, 2 * levels + 16);
    acd_buffer_add_str(&buffer, encoding == J ? "{\"a\":"
                                              : "\x81\xa1"
                                                "a");
    for (size_t i = 1; i < levels; i++)
        acd_buffer_add_char(&buffer, encoding == J ? '[' : (char)0x91);
    acd_buffer_add_char(&buffer, '1');
    for (size_t i = 1; encoding == J && i < levels; i++)
        acd_buffer_add_char(&buffer, ']');
    if (encoding == J)
        acd_buffer_add_char(&buffer, '}');
    return acd_buffer_slice(&buffer);
}

static void test_depth(void **state)
{
    static const size_t too_deep[] = {17, 18, 100, 2047, 2048, 2049, 10000, 1000000};

    for (enum acd_encoding encoding = J; encoding <= M; encoding++) {
        assert_string_equal(decoded_text(&arena, encoding, nested(encoding, 16)),
                            encoding == J ? "{a:[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"
                                          : "{a:[[[[[[[[[[[[[[[49]]]]]]]]]]]]]]]}");
        for (size_t i = 0; i < sizeof(too_deep) / sizeof(too_deep[0]); i++)
            assert_string_equal(decoded_text(&arena, encoding, nested(encoding, too_deep[i])),
                                "the message is nested deeper than 16 levels");
    }
}

/* What comes after an inner container counts at the depth it stands at. */
static void test_depth_falls_again(void **state)
{
    static const struct row json[] = {
        {"{\"a\":[[],[],{}],\"b\":{\"c\":[1]},\"d\":2}", "{a:[[] [] {}] b:{c:[1]} d:2}"}};
    static const struct row msgpack[] = {
        {"83 a1 61 93 90 90 80 a1 62 81 a1 63 91 01 a1 64 02", "{a:[[] [] {}] b:{c:[1]} d:2}"}};

    CHECK_ROWS(J, json);
    CHECK_ROWS(M, msgpack);
}

static struct acd_slice map_of(enum acd_encoding encoding, uint32_t members, const char *last_key)
{
    struct acd_writer writer;

    acd_writer_init(&writer, encoding, &arena);
    acd_writer_map(&writer, members);
    for (uint32_t i = 0; i < members; i++) {
        struct acd_slice key = acd_arena_format(&arena, "key-%u", i);

        acd_writer_key_slice(&writer, i + 1 == members && last_key ? acd_slice_str(last_key) : key);
        acd_writer_int(&writer, i);
    }
    acd_writer_end(&writer);
    return acd_buffer_slice(&writer.buffer);
}

/* Of this thread's processor time, so that a busy machine fails nothing. */
static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_many_keys(void **state)
{
    for (enum acd_encoding encoding = J; encoding <= M; encoding++) {
        struct acd_slice bytes = map_of(encoding, 200000, NULL);
        double start = seconds();
        struct acd_value value;

        assert_null(acd_codec_decode(encoding, bytes, &arena, &value));
        assert_int_equal(value.count, 200000);
        assert_int_equal(value.members[199999].value.integer, 199999);
        /* 0.1 s is usual, and a sanitizer's overhead allowed for; comparing each with each takes minutes. */
        if (seconds() - start > 5)
            fail_msg("200,000 keys took %.2f s", seconds() - start);
    }
}

static void test_key_twice_among_many(void **state)
{
    static const uint32_t sizes[] = {2, 16, 17, 18, 1000, 50000};

    for (enum acd_encoding encoding = J; encoding <= M; encoding++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            const char *actual = decoded_text(&arena, encoding, map_of(encoding, sizes[i], "key-0"));

            if (!strstr(actual, "comes twice"))
                fail_msg("%u members gave: %.60s", sizes[i], actual);
        }
    }
}

static void test_long_string(void **state)
{
    enum { BYTES = 1 << 20 };
    char *text = acd_arena_alloc(&arena, BYTES);

    memset(text, 'n', BYTES);
    for (enum acd_encoding encoding = J; encoding <= M; encoding++) {
        struct acd_writer writer;
        struct acd_value value;

        acd_writer_init(&writer, encoding, &arena);
        acd_writer_map(&writer, 1);
        acd_writer_key(&writer, "nickname");
        acd_writer_string(&writer, acd_slice(text, BYTES));
        acd_writer_end(&writer);
        assert_null(acd_codec_decode(encoding, acd_buffer_slice(&writer.buffer), &arena, &value));
        assert_int_equal(value.members[0].value.string.len, BYTES);
    }
}

/* A command as a client of either encoding sends it. */
static void test_both_encodings_alike(void **state)
{
    static const char json[] =
        "{\"v\":1,\"id\":\"c-1\",\"op\":\"create\",\"app\":\"demo\",\"account\":\"alice\","
        "\"profile\":{\"nickname\":\"Alice\",\"level\":7,\"custom\":{\"Tag\":\"x\"}},"
        "\"dry_run\":false,\"after\":null}";
    static const char msgpack[] =
        "88 a1 76 01 a2 6964 a3 632d31 a2 6f70 a6 637265617465 a3 617070 a4 64656d6f"
        "a7 6163636f756e74 a5 616c696365 a7 70726f66696c65"
        "83 a8 6e69636b6e616d65 a5 416c696365 a5 6c6576656c 07"
        "a6 637573746f6d 81 a3 546167 a1 78"
        "a7 6472795f72756e c2 a5 6166746572 c0";
    const char *expected = "{v:1 id:'c-1' op:'create' app:'demo' account:'alice' profile:{nickname:'Alice' "
                           "level:7 custom:{Tag:'x'}} dry_run:false after:null}";

    assert_string_equal(decoded_text(&arena, J, acd_slice_str(json)), expected);
    assert_string_equal(decoded_text(&arena, M, hex_bytes(&arena, msgpack)), expected);
}

static void *decode_often(void *expected)
{
    static const char json[] = "{\"a\":{\"b\":[1,2,{\"c\":\"text\"}]},\"d\":null}";
    struct acd_arena own;
    bool alike = true;

    acd_arena_init(&own);
    for (int i = 0; i < 2000; i++) {
        alike = alike && strcmp(decoded_text(&own, J, acd_slice_str(json)), expected) == 0;
        acd_arena_reset(&own);
    }
    acd_arena_free(&own);
    return alike ? expected : NULL;
}

static void test_threads(void **state)
{
    char expected[] = "{a:{b:[1 2 {c:'text'}]} d:null}";
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decode_often, expected), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result;

        pthread_join(threads[i], &result);
        assert_ptr_equal(result, expected);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_msgpack),
        TEST(test_msgpack_malformed),
        TEST(test_claims_beyond_the_message),
        TEST(test_depth),
        TEST(test_depth_falls_again),
        TEST(test_many_keys),
        TEST(test_key_twice_among_many),
        TEST(test_long_string),
        TEST(test_both_encodings_alike),
        TEST(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
