/* What an import posts, what it makes of replies, and how it writes rejected lines; no Kafka, no disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/ctl/import/rejects.h"
#include "../../src/ctl/import/segment.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

/* Of the line, the segment has copies. */
static void add_bytes(struct acd_ctl_segment *segment, int64_t number, const char *name, size_t bytes,
                      bool keep)
{
    struct acd_slice app = acd_slice_str("app");
    struct acd_ctl_text text = {.number = number, .bytes = bytes};
    struct acd_ctl_entry entry;
    struct acd_arena arena;
    struct acd_slice record;

    acd_arena_init(&arena);
    record = acd_arena_format(&arena, "{\"account\":\"%s\"}", name);
    if (keep)
        text.kept = record;
    acd_ctl_entry_decode(&arena, app, ACD_NDJSON, record, &entry);
    acd_ctl_segment_add(segment, &text, &entry);
    acd_arena_free(&arena);
}

static void add(struct acd_ctl_segment *segment, int64_t number, const char *name)
{
    add_bytes(segment, number, name, strlen(name) + 14, true);
}

static const struct acd_ctl_import_terms terms = {
    .app = "app", .on_exists = "update", .run = "run", .partitions = 1, .command_bytes = 1000};

/* Lines end a segment by their bytes, whether they are kept or not: an import that goes on may keep others.
 */
static void test_long_lines(void **state)
{
    for (int keep = 0; keep < 2; keep++) {
        struct acd_ctl_segment *segment = acd_ctl_segment_new(&terms);

        assert_non_null(segment);
        for (int64_t i = 1; i <= 3; i++) {
            assert_false(acd_ctl_segment_full(segment));
            add_bytes(segment, i, "a", ACD_CTL_SEGMENT_BYTES / 3 + 1, keep);
        }
        assert_true(acd_ctl_segment_full(segment));
        acd_ctl_segment_free(segment);
    }
}

static void test_commands(void **state)
{
    struct acd_ctl_segment *segment = acd_ctl_segment_new(&terms);
    struct acd_ctl_command_post posts[8];

    assert_non_null(segment);
    add(segment, 3, "a");
    add(segment, 4, "b");
    add(segment, 5, "!");
    add(segment, 6, "a");
    add(segment, 7, "c");
    assert_int_equal(acd_ctl_segment_commands(segment, posts), 2);
    assert_string_equal(posts[0].id, "run-3");
    assert_string_equal(posts[1].id, "run-6");
    assert_true(
        acd_slice_is(posts[0].value,
                     "{\"v\":1,\"id\":\"run-3\",\"op\":\"create\",\"app\":\"app\",\"on_exists\":\"update\","
                     "\"accounts\":[{\"account\":\"a\"},{\"account\":\"b\"}]}"));
    assert_true(acd_slice_is(posts[1].key, "a"));
    assert_ptr_equal(acd_ctl_segment_find(segment, acd_slice_str("run-6")), segment->batches[1]);
    assert_null(acd_ctl_segment_find(segment, acd_slice_str("run-4")));

    acd_ctl_segment_answer(
        segment, segment->batches[0],
        acd_slice_str(
            "{\"status\":\"partial\",\"results\":[{\"account\":\"a\",\"status\":\"ok\",\"revision\":1,"
            "\"changed\":true},{\"account\":\"b\",\"status\":\"error\",\"error\":{\"code\":"
            "\"immutable_field\",\"field\":\"accounts[1].type\",\"message\":\"m\"}}]}"));
    assert_int_equal(segment->unanswered, 1);
    assert_int_equal(segment->lines[0].outcome, ACD_CTL_CREATED);
    assert_int_equal(segment->lines[1].outcome, ACD_CTL_REJECTED_LINE);
    assert_true(acd_slice_is(segment->lines[1].field, "type"));
    assert_int_equal(segment->lines[2].outcome, ACD_CTL_REJECTED_LINE);
    assert_int_equal(segment->lines[3].outcome, ACD_CTL_PENDING);
    acd_ctl_segment_answer(
        segment, segment->batches[1],
        acd_slice_str("{\"status\":\"error\",\"error\":{\"code\":\"app_forbidden\",\"message\":\"m\"}}"));
    assert_int_equal(segment->unanswered, 0);
    assert_true(acd_slice_is(segment->lines[4].code, "app_forbidden"));
    acd_ctl_segment_free(segment);
}

/* Strange replies reject what they are about, and end nothing. */
static void test_replies(void **state)
{
    static const struct {
        const char *reply;
        enum acd_ctl_outcome outcome;
    } rows[] = {
        {"", ACD_CTL_REJECTED_LINE},
        {"{}", ACD_CTL_REJECTED_LINE},
        {"{\"results\":[]}", ACD_CTL_REJECTED_LINE},
        {"{\"results\":[1]}", ACD_CTL_REJECTED_LINE},
        {"{\"results\":[{\"account\":\"b\",\"status\":\"ok\"}]}", ACD_CTL_REJECTED_LINE},
        {"{\"results\":[{\"account\":\"a\",\"status\":\"error\"}]}", ACD_CTL_REJECTED_LINE},
        {"{\"results\":[{\"account\":\"a\",\"status\":\"ok\",\"revision\":1,\"changed\":true}]}",
         ACD_CTL_CREATED},
        {"{\"results\":[{\"account\":\"a\",\"status\":\"ok\",\"revision\":2,\"changed\":true}]}",
         ACD_CTL_UPDATED},
        {"{\"results\":[{\"account\":\"a\",\"status\":\"ok\",\"revision\":2,\"changed\":false}]}",
         ACD_CTL_SKIPPED},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acd_ctl_segment *segment = acd_ctl_segment_new(&terms);

        assert_non_null(segment);
        add(segment, 1, "a");
        acd_ctl_segment_answer(segment, segment->batches[0], acd_slice_str(rows[i].reply));
        assert_int_equal(segment->unanswered, 0);
        if (segment->lines[0].outcome != rows[i].outcome)
            fail_msg("%s", rows[i].reply);
        acd_ctl_segment_free(segment);
    }
}

/* A command holds 100 accounts, and so many bytes. */
static void test_sizes_of_commands(void **state)
{
    struct acd_ctl_import_terms large = terms;
    struct acd_ctl_segment *segment;
    char name[16];

    for (int pass = 0; pass < 2; pass++) {
        large.command_bytes = pass ? 100000 : 200;
        segment = acd_ctl_segment_new(&large);
        assert_non_null(segment);
        for (int i = 0; i < 250; i++) {
            (void)snprintf(name, sizeof(name), "n%d", i);
            add(segment, i + 1, name);
        }
        for (uint32_t i = 0; i < segment->batch_count; i++)
            assert_true(segment->batches[i]->entries.len + 2 <= large.command_bytes);
        if (pass)
            assert_int_equal(segment->batch_count, 3);
        acd_ctl_segment_free(segment);
    }
}

/* Kafka's own clients and librdkafka's murmur2 agree on these. */
static void test_partitions(void **state)
{
    static const struct {
        const char *key;
        int32_t partition; /* of 1000 */
    } rows[] = {{"21", (-973932308 & 0x7fffffff) % 1000},
                {"foobar", (-790332482 & 0x7fffffff) % 1000},
                {"a-little-bit-long-string", (-985981536 & 0x7fffffff) % 1000}};

    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(acd_ctl_partition_of(acd_slice_str(rows[i].key), 1000), rows[i].partition);
}

static void test_rejects(void **state)
{
    static const struct {
        enum acd_format format;
        const char *text;
        const char *outcome;
        bool cut;
    } rows[] = {
        {ACD_NDJSON, "{\"account\":\"a\",\"rejected\":1}",
         "{\"account\":\"a\",\"rejected\":{\"line\":7,\"account\":\"a\",\"code\":\"internal\",\"message\":\"="
         "m\"}}\n",
         false},
        {ACD_NDJSON, "{\xff",
         "{\"rejected\":{\"line\":7,\"account\":\"a\",\"code\":\"internal\",\"message\":\"=m\","
         "\"text_base64\":\"e/8=\"}}\n",
         false},
        {ACD_NDJSON, "{}",
         "{\"rejected\":{\"line\":7,\"account\":\"a\",\"code\":\"internal\",\"message\":\"=m\",\"text\":\"{}"
         "\"}}\n",
         true},
        {ACD_MSGPACK, "\x81\xa1",
         "{\"rejected\":{\"line\":7,\"account\":\"a\",\"code\":\"internal\",\"message\":\"=m\","
         "\"text_base64\":\"gaE=\"}}\n",
         false},
        {ACD_MSGPACK,
         "\x81\xa1"
         "b\xc4\x01z",
         "{\"b\":[],\"rejected\":{\"line\":7,\"account\":\"a\",\"code\":\"internal\",\"message\":\"=m\"}}\n",
         false},
        {ACD_CSV, "a,\"=\"\"x\"\"\",8", "a,\"=\"\"x\"\"\",7,a,internal,,'=m,\r\n", false},
        {ACD_CSV, "a", "a,,7,a,internal,,'=m,\r\n", false},
        {ACD_CSV, "a,b,c,d", ",,7,a,internal,,'=m,\"a,b,c,d\"\r\n", false},
        {ACD_CSV, "a,J\xfcrgen", "a,J\xfcrgen,7,a,internal,,'=m,\r\n", false},
        {ACD_CSV, "a,b,c,\xfc", ",,7,a,internal,,'=m,\"a,b,c,\xfc\"\r\n", false},
        {ACD_CSV, "\"a\"b", ",,7,a,internal,,'=m,\"\"\"a\"\"b\"\r\n", false},
    };
    struct acd_ctl_csv csv;
    struct acd_arena arena;

    acd_arena_init(&arena);
    assert_null(acd_ctl_csv_header(&csv, &arena, acd_slice_str("account,nickname,rejected_line")));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct acd_ctl_rejects rejects = {.format = rows[i].format, .csv = &csv};
        struct acd_ctl_line line = {.number = 7,
                                    .text = acd_slice_str(rows[i].text),
                                    .cut = rows[i].cut,
                                    .account = acd_slice_str("a"),
                                    .code = acd_slice_str("internal"),
                                    .message = acd_slice_str("=m")};
        struct acd_slice text = acd_ctl_rejects_text(&rejects, &arena, &line, false);

        if (!acd_slice_is(text, rows[i].outcome))
            fail_msg("%s:\n%.*s", rows[i].text, ACD_SLICE_ARGS(text));
    }
    acd_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_commands),
        cmocka_unit_test(test_replies),    cmocka_unit_test(test_sizes_of_commands),
        cmocka_unit_test(test_partitions), cmocka_unit_test(test_rejects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
