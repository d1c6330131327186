/* Export files in each format, their compression, chunks and manifest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>
#include <msgpack.h>
#include <openssl/evp.h>

#include "accountd/export.h"
#include "accountd/text.h"

#include "tree.h"

static struct acd_arena arena;

static const struct acd_origin origin = {ACD_LITERAL("account.commands"), 3, 42, 0};

static const struct acd_custom alice_custom[] = {{ACD_LITERAL("Tag"), ACD_LITERAL("x, \"y\"")}};

static const struct acd_account alice = {
    .exists = true,
    .type = ACD_ADMIN,
    .revision = 4,
    .updated_at_ms = 1795378148123,
    .fields = {[ACD_NICKNAME] = ACD_LITERAL("Alice"), [ACD_LEVEL] = ACD_LITERAL("7")},
    .custom = alice_custom,
    .custom_count = 1,
};

static const struct acd_account plain = {.exists = true, .type = ACD_GENERAL, .revision = 1};

static const struct acd_outcome named[] = {
    {.account = ACD_LITERAL("alice"), .record = &alice},
    {.account = ACD_LITERAL("eve"), .refusal = {.code = ACD_ACCOUNT_NOT_FOUND}},
    {.account = ACD_LITERAL("bob"), .record = &plain},
    {.account = ACD_LITERAL("zoe"), .refusal = {.code = ACD_ACCOUNT_NOT_FOUND}},
};

#define NAMED_COUNT (sizeof(named) / sizeof(named[0]))

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

/* An export with these columns, ended by ACD_COLUMN_COUNT, or with all. */
static struct acd_command export_of(enum acd_format format, const enum acd_column *columns)
{
    struct acd_command command = {
        .op = ACD_EXPORT, .app = ACD_LITERAL("demo"), .many = true, .format = format};

    for (uint8_t c = 0; !columns && c < ACD_COLUMN_COUNT; c++)
        command.columns[command.column_count++] = c;
    while (columns && columns[command.column_count] != ACD_COLUMN_COUNT) {
        command.columns[command.column_count] = (uint8_t)columns[command.column_count];
        command.column_count++;
    }
    return command;
}

static const char *file_text(const struct acd_command *command)
{
    return acd_arena_copy(&arena, acd_export_encode(&arena, command, named, NAMED_COUNT)).data;
}

static void test_formats(void **state)
{
#define ALICE                                                                                                \
    "{\"app\":\"demo\",\"account\":\"alice\",\"type\":\"admin\",\"revision\":4,"                             \
    "\"created_at\":\"1970-01-01T00:00:00.000Z\",\"updated_at\":\"2026-11-22T20:09:08.123Z\","               \
    "\"profile\":{\"nickname\":\"Alice\",\"level\":7,\"custom\":{\"Tag\":\"x, \\\"y\\\"\"}}}"
#define BOB                                                                                                  \
    "{\"app\":\"demo\",\"account\":\"bob\",\"type\":\"general\",\"revision\":1,"                             \
    "\"created_at\":\"1970-01-01T00:00:00.000Z\",\"updated_at\":\"1970-01-01T00:00:00.000Z\",\"profile\":{}" \
    "}"
    struct acd_command ndjson = export_of(ACD_NDJSON, NULL);
    struct acd_command json = export_of(ACD_JSON, NULL);
    struct acd_command csv = export_of(ACD_CSV, NULL);

    assert_string_equal(file_text(&ndjson), ALICE "\n" BOB "\n");
    assert_string_equal(file_text(&json), "[" ALICE "," BOB "]");
    assert_string_equal(file_text(&csv),
                        "app,account,type,revision,created_at,updated_at,nickname,avatar_url,gender,birthday,"
                        "location,signature,allow_type,language,message_settings,admin_forbid,level,role,"
                        "custom\r\n"
                        "demo,alice,admin,4,1970-01-01T00:00:00.000Z,2026-11-22T20:09:08.123Z,Alice,,,,"
                        ",,,,,,7,,\"{\"\"Tag\"\":\"\"x, \\\"\"y\\\"\"\"\"}\"\r\n"
                        "demo,bob,general,1,1970-01-01T00:00:00.000Z,1970-01-01T00:00:00.000Z,,,,,"
                        ",,,,,,,,\r\n");
}

/* The records follow each other, each a map that says what its JSON says. */
static void test_msgpack(void **state)
{
    struct acd_command command = export_of(ACD_MSGPACK, NULL);
    struct acd_slice file = acd_export_encode(&arena, &command, named, NAMED_COUNT);
    const char *const expected[] = {ALICE, BOB};
    msgpack_unpacked unpacked;
    size_t at = 0;

    msgpack_unpacked_init(&unpacked);
    for (size_t i = 0; i < 2; i++) {
        size_t start = at;
        struct acd_slice record;

        assert_int_equal(msgpack_unpack_next(&unpacked, file.data, file.len, &at), MSGPACK_UNPACK_SUCCESS);
        record = acd_slice(file.data + start, at - start);
        assert_string_equal(decoded_text(&arena, ACD_ENCODING_MSGPACK, record),
                            decoded_text(&arena, ACD_ENCODING_JSON, acd_slice_str(expected[i])));
    }
    assert_int_equal(at, file.len);
    msgpack_unpacked_destroy(&unpacked);
}

static void test_fields(void **state)
{
    static const enum acd_column own[] = {ACD_COLUMN_TYPE, ACD_COLUMN_ACCOUNT, ACD_COLUMN_COUNT};
    static const enum acd_column both[] = {ACD_COLUMN_CUSTOM, ACD_COLUMN_PROFILE + ACD_NICKNAME,
                                           ACD_COLUMN_REVISION, ACD_COLUMN_COUNT};
    static const struct {
        enum acd_format format;
        const enum acd_column *columns;
        const char *expected;
    } rows[] = {
        {ACD_NDJSON, own,
         "{\"account\":\"alice\",\"type\":\"admin\"}\n{\"account\":\"bob\",\"type\":\"general\"}\n"},
        {ACD_CSV, own, "type,account\r\nadmin,alice\r\ngeneral,bob\r\n"},
        {ACD_JSON, both,
         "[{\"revision\":4,\"profile\":{\"nickname\":\"Alice\",\"custom\":{\"Tag\":\"x, \\\"y\\\"\"}}},"
         "{\"revision\":1,\"profile\":{}}]"},
        {ACD_CSV, both,
         "custom,nickname,revision\r\n\"{\"\"Tag\"\":\"\"x, \\\"\"y\\\"\"\"\"}\",Alice,4\r\n,,1\r\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acd_command command = export_of(rows[i].format, rows[i].columns);

        assert_string_equal(file_text(&command), rows[i].expected);
    }
}

static void test_csv_cells(void **state)
{
    static const enum acd_column signature[] = {ACD_COLUMN_PROFILE + ACD_SIGNATURE, ACD_COLUMN_COUNT};
    static const struct {
        const char *text;
        const char *cell;
    } rows[] = {
        {"plain", "plain"},
        {"two words ", "two words "},
        {"", "\"\""},
        {"a,b", "\"a,b\""},
        {"\"", "\"\"\"\""},
        {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"a\nb", "\"a\nb\""},
        {"a\rb", "\"a\rb\""},
        {"=1+1", "'=1+1"},
        {"+1", "'+1"},
        {"-1", "'-1"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"'quoted'", "''quoted'"},
        {"\ttab", "'\ttab"},
        {"\nline", "\"'\nline\""},
        {"=\"a\",b", "\"'=\"\"a\"\",b\""},
        {"a=1", "a=1"},
        {"é", "é"},
    };
    struct acd_command command = export_of(ACD_CSV, signature);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acd_account account = plain;
        struct acd_outcome outcome = {.account = ACD_LITERAL("bob"), .record = &account};
        struct acd_slice file;

        account.fields[ACD_SIGNATURE] = acd_slice_str(rows[i].text);
        file = acd_export_encode(&arena, &command, &outcome, 1);
        assert_string_equal(acd_arena_copy(&arena, file).data,
                            acd_arena_format(&arena, "signature\r\n%s\r\n", rows[i].cell).data);
    }
}

/* A file of several chunks that does not compress well. */
static struct acd_answer large_answer(void)
{
    struct acd_outcome *outcomes = acd_arena_calloc(&arena, ACD_TARGETS_MAX, sizeof(*outcomes));
    uint32_t noise = 1;

    for (uint32_t i = 0; i < ACD_TARGETS_MAX; i++) {
        struct acd_account *account = acd_arena_calloc(&arena, 1, sizeof(*account));
        struct acd_custom *custom = acd_arena_calloc(&arena, ACD_CUSTOM_MAX, sizeof(*custom));

        for (uint32_t c = 0; c < ACD_CUSTOM_MAX; c++) {
            char *value = acd_arena_alloc(&arena, ACD_CUSTOM_VALUE_MAX);

            for (size_t b = 0; b < ACD_CUSTOM_VALUE_MAX; b++) {
                noise = noise * 1664525 + 1013904223;
                value[b] = (char)(' ' + (noise >> 16) % 95);
            }
            custom[c] = (struct acd_custom){acd_arena_format(&arena, "tag%c", 'a' + (int)c),
                                            acd_slice(value, ACD_CUSTOM_VALUE_MAX)};
        }
        *account = plain;
        account->custom = custom;
        account->custom_count = ACD_CUSTOM_MAX;
        outcomes[i] =
            (struct acd_outcome){.account = acd_arena_format(&arena, "account-%u", i), .record = account};
    }
    return (struct acd_answer){
        .outcomes = outcomes, .outcome_count = ACD_TARGETS_MAX, .ok_count = ACD_TARGETS_MAX};
}

/* By the streaming interface, where the code under test uses the one-shot one. */
static struct acd_slice sha256_of(struct acd_slice bytes)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    char *hex = acd_arena_alloc(&arena, 65);
    unsigned char digest[32];

    assert_true(EVP_DigestInit_ex(context, EVP_sha256(), NULL));
    assert_true(EVP_DigestUpdate(context, bytes.data, bytes.len));
    assert_true(EVP_DigestFinal_ex(context, digest, NULL));
    EVP_MD_CTX_free(context);
    acd_hex_format(digest, sizeof(digest), hex);
    return acd_slice_str(hex);
}

static struct acd_slice inflated(struct acd_slice file, enum acd_compression method, size_t capacity)
{
    char *bytes = acd_arena_alloc(&arena, capacity);
    z_stream stream = {0};
    size_t len;

    if (method == ACD_PLAIN)
        return file;
    if (method == ACD_ZSTD) {
        len = ZSTD_decompress(bytes, capacity, file.data, file.len);
        assert_false(ZSTD_isError(len));
        return acd_slice(bytes, len);
    }
    stream.next_in = (Bytef *)(uintptr_t)file.data;
    stream.avail_in = (uInt)file.len;
    stream.next_out = (Bytef *)bytes;
    stream.avail_out = (uInt)capacity;
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    return acd_slice(bytes, stream.total_out);
}

static void check_chunks(const struct acd_export *export, struct acd_slice plain_file)
{
    const struct acd_manifest *manifest = &export->manifest;
    struct acd_buffer joined;

    acd_buffer_init(&joined, &arena, 1024);
    for (uint32_t i = 0; i < export->chunk_count; i++) {
        const struct acd_chunk *chunk = &export->chunks[i];

        assert_true(chunk->value.len > 0 && chunk->value.len <= ACD_CHUNK_MAX);
        assert_true(acd_slice_equal(acd_slice_str(chunk->sha256), sha256_of(chunk->value)));
        acd_buffer_add_slice(&joined, chunk->value);
    }
    assert_int_equal(manifest->chunks, export->chunk_count);
    assert_int_equal(manifest->bytes, joined.len);
    assert_true(acd_slice_equal(manifest->sha256, sha256_of(acd_buffer_slice(&joined))));
    assert_true(acd_slice_equal(
        inflated(acd_buffer_slice(&joined), manifest->compression, plain_file.len + 1), plain_file));
}

static void test_chunks(void **state)
{
    struct acd_answer answer = large_answer();

    for (enum acd_format format = ACD_NDJSON; format <= ACD_MSGPACK; format++) {
        for (enum acd_compression method = ACD_PLAIN; method <= ACD_ZSTD; method++) {
            struct acd_command command = export_of(format, NULL);
            struct acd_export export;
            struct acd_slice file;

            command.compression = method;
            file = acd_export_encode(&arena, &command, answer.outcomes, answer.outcome_count);
            assert_true(file.len > ACD_CHUNK_MAX);
            assert_int_equal(acd_export_build(&arena, &command, &answer, acd_slice_str("e-1"), &origin,
                                              ACD_CHUNK_MAX, &export),
                             0);
            if (method == ACD_PLAIN)
                assert_int_equal(export.chunk_count, 2);
            check_chunks(&export, file);
            acd_arena_reset(&arena);
            answer = large_answer();
        }
    }
}

static void test_manifest(void **state)
{
    struct acd_answer answer = {.outcomes = named, .outcome_count = NAMED_COUNT, .ok_count = 2};
    struct acd_command command = export_of(ACD_CSV, NULL);
    struct acd_export export;

    assert_int_equal(
        acd_export_build(&arena, &command, &answer, acd_slice_str("e-1"), &origin, ACD_CHUNK_MAX, &export),
        0);
    assert_int_equal(export.chunk_count, 1);
    assert_true(acd_slice_is(export.manifest.export_id, "e-1"));
    assert_true(acd_slice_is(export.manifest.source, "account.commands:3:42"));
    assert_true(acd_slice_is(export.manifest.app, "demo"));
    assert_int_equal(export.manifest.attempt, 1);
    assert_int_equal(export.manifest.format, ACD_CSV);
    assert_int_equal(export.manifest.compression, ACD_PLAIN);
    assert_int_equal(export.manifest.accounts, 2);
    assert_int_equal(export.manifest.not_found_count, 2);
    assert_true(acd_slice_is(export.manifest.not_found[0], "eve"));
    assert_true(acd_slice_is(export.manifest.not_found[1], "zoe"));
}

static void test_content_types(void **state)
{
    static const char *const types[] = {[ACD_NDJSON] = "application/x-ndjson",
                                        [ACD_JSON] = "application/json",
                                        [ACD_CSV] = "text/csv",
                                        [ACD_MSGPACK] = "application/msgpack"};

    for (enum acd_format format = ACD_NDJSON; format <= ACD_MSGPACK; format++)
        assert_string_equal(acd_export_content_type(format), types[format]);
}

/* A command that is answered again after a crash must make the same file. */
static void test_same_bytes_again(void **state)
{
    struct acd_answer answer = {.outcomes = named, .outcome_count = NAMED_COUNT, .ok_count = 2};

    for (enum acd_compression method = ACD_PLAIN; method <= ACD_ZSTD; method++) {
        struct acd_command command = export_of(ACD_NDJSON, NULL);
        struct acd_export first, second;

        command.compression = method;
        assert_int_equal(
            acd_export_build(&arena, &command, &answer, acd_slice_str("e-1"), &origin, ACD_CHUNK_MAX, &first),
            0);
        assert_int_equal(acd_export_build(&arena, &command, &answer, acd_slice_str("e-1"), &origin,
                                          ACD_CHUNK_MAX, &second),
                         0);
        assert_true(acd_slice_equal(first.chunks[0].value, second.chunks[0].value));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_formats), TEST(test_msgpack),  TEST(test_fields),        TEST(test_csv_cells),
        TEST(test_chunks),  TEST(test_manifest), TEST(test_content_types), TEST(test_same_bytes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
