/* Files that are made page by page: whatever the pages and the chunks, they are the file that is made in one
 * go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "accountd/buffer.h"
#include "accountd/file_stream.h"
#include "accountd/text.h"

#define ACCOUNTS 100

static struct acd_arena arena;
static struct acd_outcome outcomes[ACCOUNTS];

/* Every fourth is not there; the others have what formats stumble over. */
static int begin(void **state)
{
    static const struct acd_slice names[] = {ACD_LITERAL("=1+1"), ACD_LITERAL("quo\"ted, \r\nline"),
                                             ACD_LITERAL("l\xc3\xadnea")};

    acd_arena_init(&arena);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        struct acd_account *account = acd_arena_calloc(&arena, 1, sizeof(*account));

        *account = (struct acd_account){
            .exists = true, .type = ACD_GENERAL, .revision = i, .created_at_ms = 1795378148123 + i};
        account->fields[ACD_NICKNAME] = names[i % 3];
        account->fields[ACD_SIGNATURE] = acd_arena_format(&arena, "%u times %u", i * 2654435761U, i);
        outcomes[i] = (struct acd_outcome){.account = acd_arena_format(&arena, "n%u", i)};
        if (i % 4 != 3)
            outcomes[i].record = account;
    }
    return 0;
}

static int end(void **state)
{
    acd_arena_free(&arena);
    return 0;
}

/* What a sink was given. */
struct taken {
    struct acd_buffer joined;
    size_t bound;
    int64_t chunks;
    size_t last;    /* bytes of the last chunk */
    bool flushed;   /* it may be smaller than the bound */
    int64_t refuse; /* the chunk at which the sink ends the stream; 0: none */
};

static struct acd_slice sha256_of(struct acd_slice bytes)
{
    unsigned char digest[32];
    char *hex = acd_arena_alloc(&arena, 65);

    assert_true(EVP_Digest(bytes.data, bytes.len, digest, NULL, EVP_sha256(), NULL));
    acd_hex_format(digest, sizeof(digest), hex);
    return acd_slice_str(hex);
}

static int take(void *context, int64_t seq, const struct acd_chunk *chunk)
{
    struct taken *taken = context;

    if (seq == taken->refuse)
        return -1;
    assert_int_equal(seq, ++taken->chunks);
    assert_true(chunk->value.len > 0 && chunk->value.len <= taken->bound);
    /* Only the last one is smaller. */
    assert_true(seq == 1 || taken->last == taken->bound || taken->flushed);
    taken->last = chunk->value.len;
    assert_true(acd_slice_is(sha256_of(chunk->value), chunk->sha256));
    acd_buffer_add_slice(&taken->joined, chunk->value);
    return 0;
}

static struct acd_command export_of(enum acd_format format, enum acd_compression method)
{
    struct acd_command command = {
        .op = ACD_EXPORT, .app = ACD_LITERAL("demo"), .every = true, .format = format, .compression = method};

    for (uint8_t c = 0; c < ACD_COLUMN_COUNT; c++)
        command.columns[command.column_count++] = c;
    return command;
}

/* Makes the file of the first `count` outcomes, `page` at a time. */
static struct acd_slice stream(const struct acd_command *command, uint32_t count, uint32_t page, size_t bound,
                               struct acd_manifest *manifest)
{
    struct taken taken = {.bound = bound};
    struct acd_file_stream *file = acd_file_stream_open(command, bound, take, &taken);

    assert_non_null(file);
    acd_buffer_init(&taken.joined, &arena, 1024);
    for (uint32_t at = 0; at < count; at += page)
        assert_int_equal(
            acd_file_stream_add(file, &arena, &outcomes[at], count - at < page ? count - at : page), 0);
    assert_int_equal(acd_file_stream_end(file, &arena, manifest), 0);
    acd_file_stream_close(file);
    assert_int_equal(manifest->format, command->format);
    assert_int_equal(manifest->compression, command->compression);
    assert_int_equal(manifest->chunks, taken.chunks);
    assert_int_equal(manifest->bytes, taken.joined.len);
    assert_int_equal(manifest->accounts, acd_export_count(outcomes, count));
    assert_true(acd_slice_equal(manifest->sha256, sha256_of(acd_buffer_slice(&taken.joined))));
    return acd_buffer_slice(&taken.joined);
}

static struct acd_slice inflated(struct acd_slice file, enum acd_compression method, size_t capacity)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    ZSTD_inBuffer in = {file.data, file.len, 0};
    ZSTD_outBuffer out = {acd_arena_alloc(&arena, capacity), capacity, 0};
    z_stream gzip = {.next_in = (Bytef *)(uintptr_t)file.data,
                     .avail_in = (uInt)file.len,
                     .next_out = out.dst,
                     .avail_out = (uInt)capacity};

    if (method == ACD_ZSTD) {
        assert_int_equal(ZSTD_decompressStream(zstd, &out, &in), 0);
        assert_int_equal(in.pos, in.size);
    } else if (method == ACD_GZIP) {
        assert_int_equal(inflateInit2(&gzip, 15 + 16), Z_OK);
        assert_int_equal(inflate(&gzip, Z_FINISH), Z_STREAM_END);
        assert_int_equal(gzip.avail_in, 0);
        inflateEnd(&gzip);
        out.pos = gzip.total_out;
    }
    ZSTD_freeDCtx(zstd);
    return method == ACD_PLAIN ? file : acd_slice(out.dst, out.pos);
}

/* The file as it is made in one go. */
static struct acd_slice built(const struct acd_command *command)
{
    static const struct acd_origin origin = {ACD_LITERAL("account.commands"), 3, 42, 0};
    struct acd_answer answer = {.outcomes = outcomes, .outcome_count = ACCOUNTS, .ok_count = 75};
    struct acd_export export;
    struct acd_buffer joined;

    assert_int_equal(
        acd_export_build(&arena, command, &answer, acd_slice_str("e"), &origin, ACD_CHUNK_MAX, &export), 0);
    acd_buffer_init(&joined, &arena, 1024);
    for (uint32_t i = 0; i < export.chunk_count; i++)
        acd_buffer_add_slice(&joined, export.chunks[i].value);
    return inflated(acd_buffer_slice(&joined), command->compression, 1 << 20);
}

static void test_every_format(void **state)
{
    static const uint32_t pages[] = {1, 7, ACCOUNTS};
    static const size_t bounds[] = {1, 100, 1024, ACD_CHUNK_MAX};

    for (int i = 0; i < 4 * 3; i++) {
        struct acd_command command = export_of((enum acd_format)(i / 3), (enum acd_compression)(i % 3));
        struct acd_slice wanted = built(&command);
        struct acd_slice first = {NULL, 0};

        for (int j = 0; j < 3 * 4; j++) {
            struct acd_manifest manifest = {0};
            struct acd_slice file = stream(&command, ACCOUNTS, pages[j / 4], bounds[j % 4], &manifest);

            if (!acd_slice_equal(inflated(file, command.compression, wanted.len + 1), wanted))
                fail_msg("%s with %s, pages of %u, chunks of %zu: another file",
                         acd_format_text(command.format), acd_compression_text(command.compression),
                         pages[j / 4], bounds[j % 4]);
            /* Of the same pages the same bytes are made, however they are cut. */
            if (j % 4 == 0)
                first = file;
            assert_true(acd_slice_equal(file, first));
        }
    }
}

static void test_nothing(void **state)
{
    static const char *const files[] = {
        [ACD_NDJSON] = "", [ACD_JSON] = "[]", [ACD_CSV] = "account\r\n", [ACD_MSGPACK] = ""};

    for (int i = 0; i < 4 * 3; i++) {
        struct acd_command command = export_of((enum acd_format)(i / 3), (enum acd_compression)(i % 3));
        const char *wanted = files[command.format];
        struct acd_manifest manifest = {0};

        command.columns[0] = ACD_COLUMN_ACCOUNT;
        command.column_count = 1;
        /* Pages without a record are as none. */
        for (int skipped = 0; skipped < 2; skipped++) {
            struct acd_outcome there = outcomes[0];
            struct acd_slice file;

            outcomes[0].record = NULL;
            file = stream(&command, skipped ? 1 : 0, 1, ACD_CHUNK_MAX, &manifest);
            outcomes[0] = there;
            if (!acd_slice_is(inflated(file, command.compression, 100), wanted))
                fail_msg("%s with %s: not %s", acd_format_text(command.format),
                         acd_compression_text(command.compression), wanted);
            assert_int_equal(manifest.chunks, file.len ? 1 : 0);
        }
    }
}

/* Chunks may go before they are full: the file stays as it is, and none is empty. */
static void test_flushed(void **state)
{
    for (int i = 0; i < 4 * 3; i++) {
        struct acd_command command = export_of((enum acd_format)(i / 3), (enum acd_compression)(i % 3));
        struct taken taken = {.bound = 1024, .flushed = true};
        struct acd_file_stream *file = acd_file_stream_open(&command, taken.bound, take, &taken);
        struct acd_manifest manifest = {0};
        struct acd_slice wanted = stream(&command, ACCOUNTS, 1, taken.bound, &manifest);
        int64_t chunks = manifest.chunks;

        assert_non_null(file);
        acd_buffer_init(&taken.joined, &arena, 1024);
        for (uint32_t at = 0; at < ACCOUNTS; at++) {
            assert_int_equal(acd_file_stream_add(file, &arena, &outcomes[at], 1), 0);
            assert_int_equal(acd_file_stream_flush(file), 0);
            assert_int_equal(acd_file_stream_flush(file), 0);
        }
        assert_int_equal(acd_file_stream_end(file, &arena, &manifest), 0);
        acd_file_stream_close(file);
        assert_true(acd_slice_equal(acd_buffer_slice(&taken.joined), wanted));
        assert_true(acd_slice_equal(manifest.sha256, sha256_of(wanted)));
        assert_int_equal(manifest.chunks, taken.chunks);
        assert_int_equal(manifest.bytes, wanted.len);
        assert_true(command.compression != ACD_PLAIN || manifest.chunks > chunks);
    }
}

/* The sink may end the stream at any chunk; then nothing more comes of it. */
static void test_a_sink_that_gives_up(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct acd_command command = export_of(ACD_CSV, (enum acd_compression)i);

        for (int64_t refuse = 1; refuse <= 3; refuse++) {
            struct taken taken = {.bound = 200, .refuse = refuse};
            struct acd_file_stream *file = acd_file_stream_open(&command, taken.bound, take, &taken);
            struct acd_manifest manifest = {0};

            assert_non_null(file);
            acd_buffer_init(&taken.joined, &arena, 1024);
            assert_true(acd_file_stream_add(file, &arena, outcomes, ACCOUNTS) ||
                        acd_file_stream_end(file, &arena, &manifest));
            assert_int_equal(taken.chunks, refuse - 1);
            acd_file_stream_close(file);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_every_format),
        TEST(test_nothing),
        TEST(test_flushed),
        TEST(test_a_sink_that_gives_up),
    };

    acd_file_stream_close(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
