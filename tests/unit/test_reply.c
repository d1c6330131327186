/* Replies, manifests and changelog records: their exact JSON, and that MessagePack says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accountd/reply.h"

#include "tree.h"

#define J     ACD_ENCODING_JSON
#define M     ACD_ENCODING_MSGPACK
#define AT_MS INT64_C(1795378148123)

/* What ends every reply of these tests. */
#define END                                                                                                  \
    "\"at\":\"2026-11-22T20:09:08.123Z\",\"source\":{\"topic\":\"account.commands\",\"partition\":0,"        \
    "\"offset\":42}}"

static struct acd_arena arena;

static const struct acd_origin origin = {ACD_LITERAL("account.commands"), 0, 42, AT_MS};

static const struct acd_custom alice_custom[] = {{ACD_LITERAL("Tag"), ACD_LITERAL("x\"y")},
                                                 {ACD_LITERAL("b"), ACD_LITERAL("2")}};

static const struct acd_account alice = {
    .exists = true,
    .type = ACD_ADMIN,
    .revision = 4,
    .created_at_ms = 0,
    .updated_at_ms = AT_MS,
    .fields = {[ACD_NICKNAME] = ACD_LITERAL("Alice\n😀"),
               [ACD_AVATAR_URL] = ACD_LITERAL("https://example.com/a.png"),
               [ACD_LANGUAGE] = ACD_LITERAL("4294967295"),
               [ACD_ROLE] = ACD_LITERAL("0")},
    .custom = alice_custom,
    .custom_count = 2,
};

static const struct acd_account plain = {.exists = true, .type = ACD_GENERAL, .revision = 1};

#define ALICE_RECORD                                                                                         \
    "{\"app\":\"demo\",\"account\":\"alice\",\"type\":\"admin\",\"revision\":4,"                             \
    "\"created_at\":\"1970-01-01T00:00:00.000Z\",\"updated_at\":\"2026-11-22T20:09:08.123Z\","               \
    "\"profile\":{\"nickname\":\"Alice\\n😀\",\"avatar_url\":\"https://example.com/a.png\","               \
    "\"language\":4294967295,\"role\":0,\"custom\":{\"Tag\":\"x\\\"y\",\"b\":\"2\"}}}"

#define PLAIN_RECORD                                                                                         \
    "{\"app\":\"demo\",\"account\":\"bob\",\"type\":\"general\",\"revision\":1,"                             \
    "\"created_at\":\"1970-01-01T00:00:00.000Z\",\"updated_at\":\"1970-01-01T00:00:00.000Z\",\"profile\":{}" \
    "}"

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

static struct acd_command command_of(enum acd_op op, const char *account)
{
    return (struct acd_command){
        .op = op, .app = ACD_LITERAL("demo"), .account = acd_slice_str(account), .many = !account};
}

static struct acd_answer answer_of(const struct acd_outcome *outcomes, uint32_t count)
{
    struct acd_answer answer = {.outcomes = outcomes, .outcome_count = count};

    for (uint32_t i = 0; i < count; i++)
        answer.ok_count += outcomes[i].refusal.code == ACD_OK;
    answer.status = answer.ok_count == count ? ACD_STATUS_OK
                    : answer.ok_count        ? ACD_STATUS_PARTIAL
                                             : ACD_STATUS_ERROR;
    if (!answer.ok_count)
        answer.refusal = outcomes[0].refusal;
    return answer;
}

static void check_reply(const struct acd_command *command, struct acd_answer answer,
                        const struct acd_manifest *manifest, const char *expected)
{
    struct acd_slice id = ACD_LITERAL("c-1");
    struct acd_answer again = answer;
    struct acd_slice json = acd_reply_encode(&arena, J, command, &answer, id, &origin, manifest);
    struct acd_slice msgpack = acd_reply_encode(&arena, M, command, &again, id, &origin, manifest);

    assert_string_equal(acd_arena_copy(&arena, json).data, expected);
    assert_string_equal(decoded_text(&arena, M, msgpack), decoded_text(&arena, J, json));
}

static void test_change(void **state)
{
    struct acd_command command = command_of(ACD_CREATE, "alice");
    struct acd_outcome outcome = {.account = ACD_LITERAL("alice"), .revision = 1, .changed = true};

    check_reply(&command, answer_of(&outcome, 1), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"create\",\"app\":\"demo\",\"account\":\"alice\","
                "\"status\":\"ok\",\"revision\":1,\"changed\":true," END);

    command.dry_run = true;
    command.op = ACD_EDIT;
    outcome.changed = false;
    check_reply(&command, answer_of(&outcome, 1), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"edit\",\"app\":\"demo\",\"account\":\"alice\","
                "\"status\":\"ok\",\"revision\":1,\"changed\":false,\"dry_run\":true," END);
}

static void test_refusals(void **state)
{
    struct acd_command nothing = {.op = ACD_OP_NONE};
    struct acd_command edit = command_of(ACD_EDIT, "bob");
    struct acd_command many = command_of(ACD_DELETE, NULL);
    struct acd_command list = {.op = ACD_LIST, .app = ACD_LITERAL("demo")};
    struct acd_outcome conflict = {
        .account = ACD_LITERAL("bob"),
        .refusal = {ACD_REVISION_CONFLICT, ACD_LITERAL("if_revision"), ACD_LITERAL("it has revision 7"), 7}};

    check_reply(&nothing,
                acd_refuse((struct acd_refusal){ACD_MALFORMED, {NULL, 0}, ACD_LITERAL("the \"value\""), 0}),
                NULL,
                "{\"v\":1,\"id\":\"c-1\",\"status\":\"error\",\"error\":{\"code\":\"malformed\","
                "\"message\":\"the \\\"value\\\"\"}," END);
    check_reply(&edit, answer_of(&conflict, 1), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"edit\",\"app\":\"demo\",\"account\":\"bob\","
                "\"status\":\"error\",\"error\":{\"code\":\"revision_conflict\","
                "\"message\":\"it has revision 7\",\"field\":\"if_revision\",\"revision\":7}," END);
    check_reply(&list,
                acd_refuse((struct acd_refusal){ACD_INVALID_FIELD, ACD_LITERAL("limit"),
                                                ACD_LITERAL("from 1 to 1000"), 0}),
                NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"list\",\"app\":\"demo\",\"status\":\"error\","
                "\"error\":{\"code\":\"invalid_field\",\"message\":\"from 1 to 1000\","
                "\"field\":\"limit\"}," END);
    many.dry_run = true;
    check_reply(&many,
                acd_refuse((struct acd_refusal){ACD_CONFIRMATION_REQUIRED, ACD_LITERAL("confirm"),
                                                ACD_LITERAL("set it to true"), 0}),
                NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"delete\",\"app\":\"demo\",\"status\":\"error\","
                "\"dry_run\":true,\"error\":{\"code\":\"confirmation_required\","
                "\"message\":\"set it to true\",\"field\":\"confirm\"}," END);
}

#define NOT_FOUND "{\"code\":\"account_not_found\",\"message\":\"no such account\"}"

static void test_results(void **state)
{
    static const struct acd_refusal not_found = {
        ACD_ACCOUNT_NOT_FOUND, {NULL, 0}, ACD_LITERAL("no such account"), 0};
    struct acd_command command = command_of(ACD_DELETE, NULL);
    struct acd_outcome outcomes[] = {
        {.account = ACD_LITERAL("a"), .revision = 4, .changed = true, .record = &plain},
        {.account = ACD_LITERAL("b"), .refusal = not_found},
    };

    check_reply(&command, answer_of(outcomes, 2), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"delete\",\"app\":\"demo\",\"status\":\"partial\","
                "\"counts\":{\"ok\":1,\"error\":1},\"results\":["
                "{\"account\":\"a\",\"status\":\"ok\",\"revision\":4,\"changed\":true},"
                "{\"account\":\"b\",\"status\":\"error\",\"error\":" NOT_FOUND "}]," END);
    check_reply(&command, answer_of(outcomes, 1), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"delete\",\"app\":\"demo\",\"status\":\"ok\","
                "\"counts\":{\"ok\":1,\"error\":0},\"results\":["
                "{\"account\":\"a\",\"status\":\"ok\",\"revision\":4,\"changed\":true}]," END);
    check_reply(&command, answer_of(outcomes + 1, 1), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"delete\",\"app\":\"demo\",\"status\":\"error\","
                "\"counts\":{\"ok\":0,\"error\":1},\"results\":["
                "{\"account\":\"b\",\"status\":\"error\",\"error\":" NOT_FOUND "}],\"error\":" NOT_FOUND
                "," END);
}

static void test_get(void **state)
{
    struct acd_command one = command_of(ACD_GET, "alice");
    struct acd_command many = command_of(ACD_GET, NULL);
    struct acd_outcome outcomes[] = {
        {.account = ACD_LITERAL("alice"), .record = &alice},
        {.account = ACD_LITERAL("bob"), .record = &plain},
    };

    check_reply(&one, answer_of(outcomes, 1), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"get\",\"app\":\"demo\",\"account\":\"alice\","
                "\"status\":\"ok\",\"record\":" ALICE_RECORD "," END);
    check_reply(&many, answer_of(outcomes, 2), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"get\",\"app\":\"demo\",\"status\":\"ok\","
                "\"counts\":{\"ok\":2,\"error\":0},\"results\":["
                "{\"account\":\"alice\",\"status\":\"ok\",\"record\":" ALICE_RECORD "},"
                "{\"account\":\"bob\",\"status\":\"ok\",\"record\":" PLAIN_RECORD "}]," END);
}

static void test_list(void **state)
{
    struct acd_command command = {.op = ACD_LIST, .app = ACD_LITERAL("demo")};
    struct acd_row rows[] = {{ACD_LITERAL("bob"), &plain}, {ACD_LITERAL("alice"), &alice}};
    struct acd_answer answer = {.rows = rows, .row_count = 2, .total = 7, .more = true};
    struct acd_slice cursor = acd_cursor_write(0, acd_slice_str("alice"), &arena);

    check_reply(&command, (struct acd_answer){0}, NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"list\",\"app\":\"demo\",\"status\":\"ok\",\"rows\":[],"
                "\"total\":0,\"next\":null," END);
    check_reply(&command, answer, NULL,
                acd_arena_format(
                    &arena,
                    "{\"v\":1,\"id\":\"c-1\",\"op\":\"list\",\"app\":\"demo\",\"status\":\"ok\",\"rows\":["
                    "{\"account\":\"bob\",\"type\":\"general\",\"created_at\":\"1970-01-01T00:00:00.000Z\"},"
                    "{\"account\":\"alice\",\"nickname\":\"Alice\\n😀\",\"type\":\"admin\","
                    "\"avatar_url\":\"https://example.com/a.png\","
                    "\"created_at\":\"1970-01-01T00:00:00.000Z\"}],\"total\":7,\"next\":\"%.*s\"," END,
                    ACD_SLICE_ARGS(cursor))
                    .data);
}

#define MANIFEST                                                                                             \
    "{\"export_id\":\"c-1\",\"source\":\"account.commands:0:42\",\"attempt\":1,\"app\":\"demo\","            \
    "\"format\":\"csv\",\"compression\":\"gzip\",\"chunks\":1,\"bytes\":99,\"sha256\":\"abc\","              \
    "\"accounts\":1,\"not_found\":[\"b\"]}"

static void test_export(void **state)
{
    static const struct acd_slice not_found[] = {ACD_LITERAL("b")};
    struct acd_manifest manifest = {.export_id = ACD_LITERAL("c-1"),
                                    .source = ACD_LITERAL("account.commands:0:42"),
                                    .attempt = 1,
                                    .app = ACD_LITERAL("demo"),
                                    .format = ACD_CSV,
                                    .compression = ACD_GZIP,
                                    .chunks = 1,
                                    .bytes = 99,
                                    .sha256 = ACD_LITERAL("abc"),
                                    .accounts = 1,
                                    .not_found = not_found,
                                    .not_found_count = 1};
    struct acd_command one = command_of(ACD_EXPORT, "a");
    struct acd_command many = command_of(ACD_EXPORT, NULL);
    struct acd_outcome outcomes[] = {
        {.account = ACD_LITERAL("a"), .record = &alice},
        {.account = ACD_LITERAL("b"),
         .refusal = {ACD_ACCOUNT_NOT_FOUND, {NULL, 0}, ACD_LITERAL("no such account"), 0}},
    };

    assert_string_equal(acd_arena_copy(&arena, acd_manifest_encode(&arena, &manifest)).data, MANIFEST);
    check_reply(&one, answer_of(outcomes, 1), &manifest,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"export\",\"app\":\"demo\",\"account\":\"a\","
                "\"status\":\"ok\",\"export\":" MANIFEST "," END);
    check_reply(&many, answer_of(outcomes, 2), &manifest,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"export\",\"app\":\"demo\",\"status\":\"partial\","
                "\"counts\":{\"ok\":1,\"error\":1},\"results\":[{\"account\":\"a\",\"status\":\"ok\"},"
                "{\"account\":\"b\",\"status\":\"error\",\"error\":" NOT_FOUND "}],"
                "\"export\":" MANIFEST "," END);
}

static void test_changelog(void **state)
{
    struct acd_account deleted = {.revision = 9, .updated_at_ms = AT_MS};
    struct acd_slice app = ACD_LITERAL("demo");

    assert_string_equal(
        acd_arena_copy(&arena, acd_changelog_encode(&arena, app, acd_slice_str("alice"), &alice)).data,
        ALICE_RECORD);
    assert_string_equal(
        acd_arena_copy(&arena, acd_changelog_encode(&arena, app, acd_slice_str("bob"), &deleted)).data,
        "{\"app\":\"demo\",\"account\":\"bob\",\"deleted\":true,\"revision\":9,"
        "\"at\":\"2026-11-22T20:09:08.123Z\"}");
}

/* Somebody wrote to the hash by hand: the number is no number, and must not be lost or break the reply. */
static void test_number_that_is_none(void **state)
{
    struct acd_account account = plain;
    struct acd_writer writer;

    account.fields[ACD_LEVEL] = acd_slice_str("seven");
    acd_writer_init(&writer, J, &arena);
    acd_record_write_kept(&writer, acd_slice_str("demo"), acd_slice_str("bob"), &account,
                          UINT32_C(1) << (ACD_COLUMN_PROFILE + ACD_LEVEL));
    assert_string_equal(acd_arena_copy(&arena, acd_buffer_slice(&writer.buffer)).data,
                        "{\"profile\":{\"level\":\"seven\"}}");
}

static struct acd_slice filled(size_t len, char c)
{
    return acd_slice(memset(acd_arena_alloc(&arena, len), c, len), len);
}

/* An account as large as they come. */
static const struct acd_account *large_account(char c)
{
    struct acd_account *account = acd_arena_calloc(&arena, 1, sizeof(*account));
    struct acd_custom *custom = acd_arena_calloc(&arena, ACD_CUSTOM_MAX, sizeof(*custom));

    *account = plain;
    account->fields[ACD_NICKNAME] = filled(500, c);
    account->fields[ACD_AVATAR_URL] = filled(500, c);
    for (uint32_t i = 0; i < ACD_CUSTOM_MAX; i++)
        custom[i] = (struct acd_custom){acd_arena_format(&arena, "tag%c", 'a' + (int)i), filled(500, c)};
    account->custom = custom;
    account->custom_count = ACD_CUSTOM_MAX;
    return account;
}

static void test_list_too_large(void **state)
{
    struct acd_row *rows = acd_arena_calloc(&arena, ACD_LIST_MAX, sizeof(*rows));
    struct acd_command command = {.op = ACD_LIST, .app = ACD_LITERAL("demo")};

    for (uint32_t i = 0; i < ACD_LIST_MAX; i++)
        rows[i] = (struct acd_row){acd_arena_format(&arena, "account-%u", i), large_account('"')};
    for (enum acd_encoding encoding = J; encoding <= M; encoding++) {
        struct acd_answer answer = {.rows = rows, .row_count = ACD_LIST_MAX, .total = ACD_LIST_MAX};
        struct acd_slice reply =
            acd_reply_encode(&arena, encoding, &command, &answer, acd_slice_str("c-1"), &origin, NULL);
        struct acd_slice cursor;
        struct acd_value value;

        assert_true(answer.more);
        assert_true(reply.len <= ACD_REPLY_MAX);
        assert_true(reply.len > ACD_REPLY_MAX - 8192);
        assert_null(acd_codec_decode(encoding, reply, &arena, &value));
        assert_int_equal(acd_value_member(&value, "rows")->count, answer.row_count);
        cursor = acd_cursor_write(0, rows[answer.row_count - 1].account, &arena);
        assert_true(acd_slice_equal(acd_value_member(&value, "next")->string, cursor));
    }
}

static void test_get_too_large(void **state)
{
    struct acd_outcome *outcomes = acd_arena_calloc(&arena, ACD_TARGETS_MAX, sizeof(*outcomes));
    struct acd_command command = command_of(ACD_GET, NULL);

    for (uint32_t i = 0; i < ACD_TARGETS_MAX; i++)
        outcomes[i] = (struct acd_outcome){.account = acd_arena_format(&arena, "account-%u", i),
                                           .record = large_account('x')};
    check_reply(&command, answer_of(outcomes, ACD_TARGETS_MAX), NULL,
                "{\"v\":1,\"id\":\"c-1\",\"op\":\"get\",\"app\":\"demo\",\"status\":\"error\","
                "\"error\":{\"code\":\"reply_too_large\","
                "\"message\":\"the reply would be larger than 900 KiB; ask for fewer accounts\"}," END);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_change),         TEST(test_refusals),
        TEST(test_results),        TEST(test_get),
        TEST(test_list),           TEST(test_export),
        TEST(test_changelog),      TEST(test_number_that_is_none),
        TEST(test_list_too_large), TEST(test_get_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
