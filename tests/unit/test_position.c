/* Markers, tokens, the assignment table, and the outbox that a pending batch is answered from. */
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

#include "accountd/outgoing.h"
#include "accountd/position.h"

/* A marker as "next nonce before", "" for none; what was committed as "offset token", "offset ?" for an
 * offset that somebody else set, "" for none. */
static const struct {
    const char *marker;
    const char *committed;
    enum acd_standing expected;
    const char *why;
} standings[] = {
    {"", "", ACD_STANDING_CLEAN, "nothing was ever done"},
    {"10 a -", "10 a", ACD_STANDING_CLEAN, "the first batch was answered"},
    {"20 b a", "20 b", ACD_STANDING_CLEAN, "a later one was answered"},
    {"10 a -", "", ACD_STANDING_PENDING, "the first batch was applied, not answered"},
    {"20 b a", "10 a", ACD_STANDING_PENDING, "a later one was applied, not answered"},
    {"20 b a", "", ACD_STANDING_LOST, "Kafka forgot what was committed"},
    {"", "10 a", ACD_STANDING_LOST, "Redis is empty"},
    {"10 a -", "20 b", ACD_STANDING_LOST, "Redis lost its tail"},
    {"20 c a", "20 b", ACD_STANDING_LOST, "an old backup held another batch that ended at the same offset"},
    {"20 c b", "10 a", ACD_STANDING_LOST, "the batch before is not the one that was answered"},
    {"30 c b", "10 b", ACD_STANDING_LOST, "the outbox does not start where Kafka stands"},
    {"20 b a", "15 ?", ACD_STANDING_FOREIGN, "an operator skipped commands"},
    {"", "15 ?", ACD_STANDING_FOREIGN, "… before accountd ever ran"},
};

static struct acd_marker make_marker(const char *text)
{
    struct acd_marker marker = {.fingerprint = "f", .origin = ACD_LITERAL("o")};
    long long next = 0;

    assert_int_equal(sscanf(text, "%lld %16s %16s", &next, marker.nonce, marker.before), 3);
    marker.next = next;
    marker.from = next - 10;
    marker.last = next - 1;
    return marker;
}

static struct acd_committed make_committed(struct acd_arena *arena, const char *text)
{
    struct acd_committed committed = {0};
    struct acd_token token = {.changelog_end = 7};
    long long offset = 0;

    if (!*text)
        return committed;
    assert_int_equal(sscanf(text, "%lld %16s", &offset, token.nonce), 2);
    committed.exists = true;
    committed.offset = offset;
    committed.metadata = token.nonce[0] == '?' ? acd_slice_str("") : acd_token_format(arena, &token);
    return committed;
}

static void test_standings(void **unused)
{
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < sizeof(standings) / sizeof(standings[0]); i++) {
        struct acd_marker marker =
            standings[i].marker[0] ? make_marker(standings[i].marker) : (struct acd_marker){0};
        struct acd_committed committed = make_committed(&arena, standings[i].committed);
        enum acd_standing found = acd_standing(&committed, standings[i].marker[0] ? &marker : NULL);

        if (found != standings[i].expected)
            fail_msg("%s: marker '%s', committed '%s': found %d, expected %d", standings[i].why,
                     standings[i].marker, standings[i].committed, (int)found, (int)standings[i].expected);
    }
    acd_arena_free(&arena);
}

static void test_marker_text(void **unused)
{
    static const char *const broken[] = {
        "",
        "2",
        "1 1 2 1 0 a - f o",
        "2 x 2 1 0 a - f o",
        "2 1 x 1 0 a - f o",
        "2 1 2 x 0 a - f o",
        "2 1 2 1 x a - f o",
        "2 1 2 1 8 a - f o",
        "2 1 2 1 -1 a - f o",
        "2 1 2 1 0  - f o",
        "2 1 2 1 0 a  f o",
        "2 1 2 1 0 a -  o",
        "2 1 2 1 0 a - f ",
        "2 1 2 1 0 abcdefghabcdefghi - f o",
    };
    struct acd_arena arena;
    struct acd_marker marker = {
        .from = 5, .next = 9, .last = 7, .step = 3, .nonce = "a1", .before = "-", .fingerprint = "ff"};
    struct acd_marker again;

    acd_arena_init(&arena);
    marker.origin =
        acd_origin_format(&arena, acd_slice_str("c"), acd_slice_str("a group"), acd_slice_str("t"), 3);
    assert_true(acd_marker_parse(acd_marker_format(&arena, &marker), &again));
    assert_int_equal(again.from, 5);
    assert_int_equal(again.next, 9);
    assert_int_equal(again.last, 7);
    assert_int_equal(again.step, 3);
    assert_string_equal(again.nonce, "a1");
    assert_string_equal(again.before, "-");
    assert_string_equal(again.fingerprint, "ff");
    assert_true(acd_slice_equal(again.origin, marker.origin));
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        if (acd_marker_parse(acd_slice_str(broken[i]), &again))
            fail_msg("'%s' was taken for a marker", broken[i]);
    acd_arena_free(&arena);
}

static void test_token_text(void **unused)
{
    static const char *const broken[] = {
        "",
        "accountd1",
        "accountd1 a",
        "accountd1 a ",
        "accountd1 a x",

        "accountd1 a 7 x",
        "accountd1 a 7 8 9",
        "accountd1  7",
        "accountd2 a 7",
        "accountd1 abcdefghabcdefghi 7",
    };
    struct acd_token token = {.nonce = "a1", .changelog_end = 7};
    struct acd_token again;
    struct acd_arena arena;
    struct acd_slice text;

    acd_arena_init(&arena);
    text = acd_token_format(&arena, &token);
    assert_true(acd_token_parse(text, &again));
    assert_string_equal(again.nonce, "a1");
    assert_int_equal(again.changelog_end, 7);
    assert_int_equal(again.floor_ms, 0);
    assert_true(acd_slice_is(text, "accountd1 a1 7"));
    token.floor_ms = 8;
    assert_true(acd_token_parse(acd_token_format(&arena, &token), &again));
    assert_int_equal(again.changelog_end, 7);
    assert_int_equal(again.floor_ms, 8);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        if (acd_token_parse(acd_slice_str(broken[i]), &again))
            fail_msg("'%s' was taken for a token", broken[i]);
    assert_false(acd_token_parse(acd_slice("accountd1 a\0b 7", 15), &again));
    acd_arena_free(&arena);
}

static void test_fingerprint(void **unused)
{
    char one[ACD_NONCE_BYTES];
    char other[ACD_NONCE_BYTES];

    acd_fingerprint(acd_slice_str("ab"), acd_slice_str("c"), 1, one);
    acd_fingerprint(acd_slice_str("ab"), acd_slice_str("c"), 1, other);
    assert_string_equal(one, other);
    acd_fingerprint(acd_slice_str("a"), acd_slice_str("bc"), 1, other);
    assert_string_not_equal(one, other);
    acd_fingerprint(acd_slice_str("ab"), acd_slice_str("c"), 2, other);
    assert_string_not_equal(one, other);
}

static void test_outbox(void **unused)
{
    const struct acd_header headers[] = {{ACD_LITERAL("h"), ACD_LITERAL("\0x")},
                                         {ACD_LITERAL("null"), {NULL, 0}}};
    const struct acd_outgoing message = {ACD_LITERAL("topic"), ACD_ANY_PARTITION, 99, {NULL, 0},
                                         ACD_LITERAL("v"),     headers,           2};
    const struct acd_outgoing plain = {ACD_LITERAL("t2"), 4, 0, ACD_LITERAL(""), ACD_LITERAL(""), NULL, 0};
    struct acd_outgoing_list list = {0};
    struct acd_outgoing_list again;
    struct acd_arena arena;
    struct acd_slice bytes;

    acd_arena_init(&arena);
    acd_outgoing_add(&arena, &list, &message);
    acd_outgoing_add(&arena, &list, &plain);
    bytes = acd_outbox_encode(&arena, &list);
    assert_int_equal(acd_outbox_decode(&arena, bytes, &again), 0);
    assert_int_equal(again.count, 2);
    assert_true(acd_slice_is(again.items[0].topic, "topic"));
    assert_int_equal(again.items[0].partition, ACD_ANY_PARTITION);
    assert_int_equal(again.items[0].timestamp_ms, 99);
    assert_null(again.items[0].key.data);
    assert_int_equal(again.items[0].header_count, 2);
    assert_true(acd_slice_equal(again.items[0].headers[0].value, headers[0].value));
    assert_null(again.items[0].headers[1].value.data);
    assert_non_null(again.items[1].key.data);
    assert_int_equal(again.items[1].partition, 4);
    /* Cut anywhere, it is no outbox, and reading stays within the bytes. */
    for (size_t len = 0; len < bytes.len; len++) {
        char *cut = test_malloc(len + 1);

        memcpy(cut, bytes.data, len);
        assert_int_equal(acd_outbox_decode(&arena, acd_slice(cut, len), &again), -1);
        test_free(cut);
    }
    /* Nor with a byte more: a copy has a NUL behind it. */
    bytes = acd_arena_copy(&arena, bytes);
    assert_int_equal(acd_outbox_decode(&arena, acd_slice(bytes.data, bytes.len + 1), &again), -1);
    acd_arena_free(&arena);
}

/* More messages than the list has room for at first: each comes back, in order. */
static void test_outbox_of_many(void **unused)
{
    enum { MESSAGES = 1000 };
    struct acd_outgoing_list list = {0};
    struct acd_outgoing_list again;
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (int i = 0; i < MESSAGES; i++) {
        struct acd_outgoing message = {
            .topic = ACD_LITERAL("t"), .partition = i, .value = ACD_LITERAL("12345")};

        acd_outgoing_add(&arena, &list, &message);
    }
    assert_int_equal(list.bytes, 5 * MESSAGES);
    assert_int_equal(acd_outbox_decode(&arena, acd_outbox_encode(&arena, &list), &again), 0);
    assert_int_equal(again.count, MESSAGES);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(again.items[i].partition, i);
    acd_arena_free(&arena);
}

/* What deletes the outboxes of a run has to know how many there may be. */
static void test_run_max(void **state)
{
    char *functions = test_read_whole(ACD_SOURCE_DIR "/src/store/commit.lua");
    char expected[64];

    snprintf(expected, sizeof(expected), "local RUN_MAX = %d\n", ACD_RUN_MAX);
    if (!strstr(functions, expected))
        fail_msg("src/store/commit.lua should have: %s", expected);
    free(functions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standings),  cmocka_unit_test(test_marker_text),
        cmocka_unit_test(test_token_text), cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_outbox),     cmocka_unit_test(test_outbox_of_many),
        cmocka_unit_test(test_run_max),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
