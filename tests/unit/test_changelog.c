/* Changelog records there and back, and the census that a recovery keeps of them. */
#include "support.h"

#include "accountd/census.h"
#include "accountd/reply.h"
#include "accountd/text.h"

static struct acd_arena arena;

static struct acd_account decoded(const char *text)
{
    struct acd_slice app;
    struct acd_slice name;
    struct acd_account account;
    const char *wrong = acd_changelog_decode(&arena, acd_slice_str(text), &app, &name, &account);

    if (wrong)
        fail_msg("%s: %s", text, wrong);
    assert_true(acd_slice_is(app, "demo"));
    assert_true(acd_slice_is(name, "a"));
    return account;
}

static void a_full_account_comes_back_the_same(void **state)
{
    static const struct acd_custom custom[] = {{ACD_LITERAL("A"), ACD_LITERAL("1 \"x\"")},
                                               {ACD_LITERAL("b"), ACD_LITERAL("é\n")}};
    struct acd_account account = {.exists = true,
                                  .type = ACD_ADMIN,
                                  .revision = 12,
                                  .created_at_ms = 1700000000001,
                                  .updated_at_ms = 253402300799999,
                                  .custom = custom,
                                  .custom_count = 2};
    struct acd_account back;
    struct acd_slice text;

    account.fields[ACD_NICKNAME] = acd_slice_str("né\\e\x7f");
    account.fields[ACD_LEVEL] = acd_slice_str("4294967295");
    account.fields[ACD_BIRTHDAY] = acd_slice_str("2000-02-29");
    text = acd_changelog_encode(&arena, acd_slice_str("demo"), acd_slice_str("a"), &account);
    back = decoded(acd_arena_copy(&arena, text).data);
    assert_true(acd_account_same(&account, &back));
    assert_int_equal(back.revision, 12);
    assert_int_equal(back.created_at_ms, account.created_at_ms);
    assert_int_equal(back.updated_at_ms, account.updated_at_ms);
}

static void a_deleted_account_keeps_its_revision(void **state)
{
    struct acd_account account = {.revision = 3, .updated_at_ms = 5};
    struct acd_slice text = acd_changelog_encode(&arena, acd_slice_str("demo"), acd_slice_str("a"), &account);
    struct acd_account back = decoded(acd_arena_copy(&arena, text).data);

    assert_false(back.exists);
    assert_int_equal(back.revision, 3);
}

#define RECORD(type, times, profile)                                                                         \
    "{\"app\":\"demo\",\"account\":\"a\",\"type\":\"" type "\",\"revision\":1," times                        \
    ",\"profile\":" profile "}"
#define CREATED "\"created_at\":\"2026-01-02T03:04:05.006Z\""
#define TIMES   CREATED ",\"updated_at\":\"2026-01-02T03:04:05.006Z\""

static void what_is_no_record_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "{",
        "{}",
        "{\"app\":\"demo\",\"account\":\"a\"}",
        "{\"app\":\"demo\",\"account\":\"a\",\"revision\":0,\"deleted\":true}",
        "{\"app\":\"demo\",\"account\":\"a\",\"revision\":1,\"deleted\":false}",
        "{\"app\":1,\"account\":\"a\",\"revision\":1,\"deleted\":true}",
        "{\"app\":\"demo\",\"account\":[],\"revision\":1,\"deleted\":true}",
        "{\"app\":\"demo\",\"account\":\"a\",\"revision\":\"1\",\"deleted\":true}",
        "{\"app\":\"demo\",\"account\":\"a\",\"revision\":1,\"deleted\":1}",
        "{\"app\":\"demo\",\"account\":\"a\",\"revision\":1," TIMES ",\"profile\":{}}",
        "{\"app\":\"demo\",\"account\":\"a\",\"type\":\"general\",\"revision\":1," TIMES "}",
        RECORD("general", CREATED ",\"updated_at\":\"yesterday\"", "{}"),
        RECORD("general", CREATED ",\"updated_at\":null", "{}"),
        RECORD("general", "\"created_at\":\"\",\"updated_at\":\"\"", "{}"),
        RECORD("boss", TIMES, "{}"),
        RECORD("general", "\"created_at\":1,\"updated_at\":2", "{}"),
        RECORD("general", TIMES, "[]"),
        RECORD("general", TIMES, "{\"nickname\":[]}"),
        RECORD("general", TIMES, "{\"nickname\":\"\"}"),
        RECORD("general", TIMES, "{\"unheard_of\":\"x\"}"),
        RECORD("general", TIMES, "{\"custom\":\"x\"}"),
        RECORD("general", TIMES, "{\"custom\":{\"a\":null}}"),
        RECORD("general", TIMES, "{\"custom\":{\"a\":\"\"}}"),
        RECORD("general", TIMES, "{\"custom\":{\"a\":\"1\",\"b\":[]}}"),
        RECORD("general", TIMES, "{\"custom\":{\"b\":\"1\",\"a\":\"2\"}}"),
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct acd_slice app;
        struct acd_slice name;
        struct acd_account account;

        if (!acd_changelog_decode(&arena, acd_slice_str(texts[i]), &app, &name, &account))
            fail_msg("taken for a record: %s", texts[i]);
    }
    assert_true(decoded(RECORD("general", TIMES, "{\"level\":3,\"custom\":{}}")).exists);
}

static void times_are_read_as_they_are_written(void **state)
{
    static const int64_t times[] = {
        0, 1, 951782399999, 951782400000, 1709164800000, 1798761599999, ACD_TIME_MAX_MS};
    static const char *const wrong[] = {"",
                                        "2026-01-02T03:04:05Z",
                                        "2026-02-29T03:04:05.006Z",
                                        "2026-01-02T24:04:05.006Z",
                                        "2026-01-02T23:60:05.006Z",
                                        "2026-01-02T23:00:60.006Z",
                                        "2026-01-02 23:00:00.006Z",
                                        "1969-12-31T23:59:59.999Z",
                                        "2026-01-02T23:00:00./06Z",
                                        "2026-01-02T23:00:00.00xZ"};
    char text[ACD_TIME_BYTES];
    int64_t back;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        acd_time_format(times[i], text);
        assert_true(acd_time_parse(acd_slice_str(text), &back));
        assert_int_equal(back, times[i]);
    }
    for (int64_t day = 0; day < 400 * 366; day++) {
        acd_time_format(day * 86400000 + 7, text);
        assert_true(acd_time_parse(acd_slice_str(text), &back));
        assert_int_equal(back, day * 86400000 + 7);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (acd_time_parse(acd_slice_str(wrong[i]), &back))
            fail_msg("taken for a time: %s", wrong[i]);
}

static void the_census_knows_each_account_once(void **state)
{
    enum { ACCOUNTS = 5000 };
    struct acd_census census;
    char too_long[300];

    acd_census_init(&census, &arena);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ACCOUNTS; i++) {
            struct acd_slice name = acd_arena_format(&arena, "n%d", i);
            struct acd_citizen *citizen = acd_census_take(&census, acd_slice_str(i % 2 ? "x" : "y"), name);

            assert_int_equal(citizen->revision, round ? i + 1 : 0);
            citizen->revision = i + 1;
        }
    }
    assert_int_equal(census.count, ACCOUNTS);
    assert_int_equal(acd_census_find(&census, acd_slice_str("x"), acd_slice_str("n7"))->revision, 8);
    assert_null(acd_census_find(&census, acd_slice_str("y"), acd_slice_str("n7")));
    /* The border between the two names counts. */
    assert_null(acd_census_find(&census, acd_slice_str("xn"), acd_slice_str("7")));
    memset(too_long, 'n', sizeof(too_long));
    assert_null(acd_census_take(&census, acd_slice_str("x"), acd_slice(too_long, sizeof(too_long))));
    assert_null(acd_census_take(&census, acd_slice(too_long, sizeof(too_long)), acd_slice_str("x")));
    assert_int_equal(census.count, ACCOUNTS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_account_comes_back_the_same),
        cmocka_unit_test(a_deleted_account_keeps_its_revision),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(times_are_read_as_they_are_written),
        cmocka_unit_test(the_census_knows_each_account_once),
    };
    int failed;

    acd_arena_init(&arena);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    acd_arena_free(&arena);
    return failed;
}
