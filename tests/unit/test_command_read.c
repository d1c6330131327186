/* Reading commands: what a good one is made into, what a reply repeats of a refused one, cursors, and
 * messages that are large. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "accountd/text.h"

static const struct acd_policy open_policy = {.admins_per_app = 10};

#define C  "{'op':'create','app':'demo','account':'a',"
#define CM "{'op':'create','app':'demo',"
#define P  C "'profile':"
#define EM "{'op':'edit','app':'demo',"
#define D  "{'op':'delete','app':'demo',"
#define L  "{'op':'list','app':'demo',"
#define X  "{'op':'export','app':'demo',"

static struct acd_refusal read_json(struct acd_arena *arena, const char *json, struct acd_command *out)
{
    struct acd_value message = test_value(arena, json);

    return acd_command_read(&message, &open_policy, NULL, arena, out);
}

/* What a reply repeats is there even if the command is refused. */
static void test_repeated(void **state)
{
    static const struct {
        const char *message;
        enum acd_op op;
        const char *id, *app, *account;
    } table[] = {
        {"{'op':'made','id':'i','app':'demo','account':'a'}", ACD_OP_NONE, "i", "demo", "a"},
        {"{'v':2,'op':'get','id':'i','app':'demo','account':'a'}", ACD_GET, "i", "demo", "a"},
        {"{'op':'get','id':'','app':'','account':'a','x':1}", ACD_GET, "", "", "a"},
        {"{'op':'get','app':'demo','account':'.'}", ACD_GET, "", "demo", ""},
        {"{'account':'.','id':7,'app':7}", ACD_OP_NONE, "", "", ""},
        {"{'op':'made','app':'demo','account':5}", ACD_OP_NONE, "", "demo", ""},
        {"{'op':'list','app':'demo','account':'a'}", ACD_LIST, "", "demo", ""},
    };
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_command command;
        struct acd_refusal refusal = read_json(&arena, table[i].message, &command);

        assert_int_not_equal(refusal.code, ACD_OK);
        if (command.op != table[i].op || !acd_slice_is(command.id, table[i].id) ||
            !acd_slice_is(command.app, table[i].app) || !acd_slice_is(command.account, table[i].account))
            fail_msg("%s: op %d id '%.*s' app '%.*s' account '%.*s'", table[i].message, command.op,
                     ACD_SLICE_ARGS(command.id), ACD_SLICE_ARGS(command.app),
                     ACD_SLICE_ARGS(command.account));
    }
    acd_arena_free(&arena);
}

/* So are dry_run and many, which shape the reply too. */
static void test_repeated_flags(void **state)
{
    struct acd_arena arena;
    struct acd_command command;

    acd_arena_init(&arena);
    assert_int_equal(read_json(&arena, CM "'dry_run':true,'x':1,'accounts':['a']}", &command).code,
                     ACD_UNKNOWN_FIELD);
    assert_true(command.dry_run);
    assert_true(command.many);
    acd_arena_free(&arena);
}

static void test_targets(void **state)
{
    struct acd_arena arena;
    struct acd_command command;
    const struct acd_target *target;

    acd_arena_init(&arena);
    test_command(
        &arena,
        EM "'type':'admin','if_revision':4,'profile':{'role':1,'nickname':null,'custom':{'b':'2','a':'1'}},"
           "'accounts':['a',{'account':'b','type':'general','if_revision':0,'profile':{'custom':null}}]}",
        &open_policy, &command);
    assert_true(command.many);
    assert_int_equal(command.target_count, 2);
    assert_int_equal(command.account.len, 0);

    target = &command.targets[0];
    assert_true(acd_slice_is(target->account, "a"));
    assert_int_equal(target->type, ACD_ADMIN);
    assert_int_equal(target->if_revision, 4);
    assert_false(target->own_type);
    assert_false(target->own_profile);
    assert_int_equal(target->change->set, 1U << ACD_ROLE);
    assert_int_equal(target->change->clear, 1U << ACD_NICKNAME);
    assert_true(acd_slice_is(target->change->values[ACD_ROLE], "1"));
    assert_int_equal(target->change->custom_count, 2);
    assert_true(acd_slice_is(target->change->custom[0].tag, "a"));
    assert_false(target->change->custom_clear);

    target = &command.targets[1];
    assert_true(acd_slice_is(target->account, "b"));
    assert_int_equal(target->type, ACD_GENERAL);
    assert_int_equal(target->if_revision, 0);
    assert_true(target->own_type);
    assert_true(target->own_profile);
    assert_int_equal(target->change->set | target->change->clear, 0);
    assert_true(target->change->custom_clear);

    test_command(&arena, D "'account':'a'}", &open_policy, &command);
    assert_false(command.many);
    assert_int_equal(command.target_count, 1);
    assert_true(acd_slice_is(command.account, "a"));
    assert_null(command.targets[0].change);
    assert_int_equal(command.targets[0].type, ACD_TYPE_UNSET);
    assert_int_equal(command.targets[0].if_revision, -1);
    acd_arena_free(&arena);
}

static void test_option_values(void **state)
{
    struct acd_arena arena;
    struct acd_command command;

    acd_arena_init(&arena);
    test_command(&arena, C "'on_exists':'update','dry_run':true}", &open_policy, &command);
    assert_int_equal(command.on_exists, ACD_EXISTS_UPDATE);
    assert_true(command.dry_run);

    test_command(&arena, "{'op':'list','app':'demo'}", &open_policy, &command);
    assert_int_equal(command.list_limit, ACD_LIST_DEFAULT);
    assert_false(command.list_from_cursor);
    assert_int_equal(command.target_count, 0);
    test_command(&arena, L "'limit':7,'after':'MTpi'}", &open_policy, &command);
    assert_int_equal(command.list_limit, 7);
    assert_true(command.list_from_cursor);
    assert_int_equal(command.cursor_created_at_ms, 1);
    assert_true(acd_slice_is(command.cursor_account, "b"));

    test_command(&arena,
                 X "'account':'a','fields':['role','app','custom'],'format':'csv','compression':'zstd'}",
                 &open_policy, &command);
    assert_int_equal(command.format, ACD_CSV);
    assert_int_equal(command.compression, ACD_ZSTD);
    assert_int_equal(command.column_count, 3);
    assert_int_equal(command.columns[0], ACD_COLUMN_PROFILE + ACD_ROLE);
    assert_int_equal(command.columns[1], ACD_COLUMN_APP);
    assert_int_equal(command.columns[2], ACD_COLUMN_CUSTOM);
    test_command(&arena, X "'account':'a'}", &open_policy, &command);
    assert_int_equal(command.format, ACD_NDJSON);
    assert_int_equal(command.compression, ACD_PLAIN);
    assert_int_equal(command.column_count, ACD_COLUMN_COUNT);
    assert_string_equal(acd_column_text(command.columns[0]), "app");
    assert_string_equal(acd_column_text(command.columns[ACD_COLUMN_COUNT - 1]), "custom");
    acd_arena_free(&arena);
}

static void test_policy(void **state)
{
    static const struct acd_slice apps[] = {ACD_LITERAL("demo"), ACD_LITERAL("shop")};
    static const struct acd_policy two_apps = {.apps = apps, .app_count = 2, .admins_per_app = 10};
    static const struct {
        const char *message;
        enum acd_code code;
    } table[] = {
        {"{'op':'get','app':'shop','account':'a'}", ACD_OK},
        {"{'op':'get','app':'Shop','account':'a'}", ACD_APP_FORBIDDEN},
        {"{'op':'delete','app':'Shop','accounts':['a']}", ACD_APP_FORBIDDEN},
        {"{'op':'get','app':'Shop','account':'.'}", ACD_INVALID_FIELD},
    };
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_value message = test_value(&arena, table[i].message);
        struct acd_command command;
        struct acd_refusal refusal = acd_command_read(&message, &two_apps, NULL, &arena, &command);

        if (refusal.code != table[i].code)
            fail_msg("%s answers %s", table[i].message, acd_code_text(refusal.code));
    }
    acd_arena_free(&arena);
}

/* A refusal found in key and headers takes its place among those of the message. */
static void test_outside(void **state)
{
    static const struct {
        const char *message;
        enum acd_code outside;
        enum acd_code code;
        const char *field;
    } table[] = {
        {C "'v':1}", ACD_REPLY_TOPIC_FORBIDDEN, ACD_REPLY_TOPIC_FORBIDDEN, "kafka_replyTopic"},
        {C "'type':1}", ACD_REPLY_TOPIC_FORBIDDEN, ACD_INVALID_FIELD, "type"},
        {C "'type':1}", ACD_INVALID_FIELD, ACD_INVALID_FIELD, "type"},
        {C "'v':1}", ACD_INVALID_FIELD, ACD_INVALID_FIELD, "kafka_replyTopic"},
        {C "'x':1}", ACD_INVALID_FIELD, ACD_UNKNOWN_FIELD, "x"},
        {D "'accounts':['a']}", ACD_REPLY_TOPIC_FORBIDDEN, ACD_REPLY_TOPIC_FORBIDDEN, "kafka_replyTopic"},
        {C "'v':1}", ACD_OK, ACD_OK, ""},
    };
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_value message = test_value(&arena, table[i].message);
        struct acd_refusal outside = {.code = table[i].outside, .field = ACD_LITERAL("kafka_replyTopic")};
        struct acd_command command;
        struct acd_refusal refusal = acd_command_read(&message, &open_policy, &outside, &arena, &command);

        if (refusal.code != table[i].code || !acd_slice_is(refusal.field, table[i].field))
            fail_msg("row %zu answers %s at %.*s", i, acd_code_text(refusal.code),
                     ACD_SLICE_ARGS(refusal.field));
    }
    acd_arena_free(&arena);
}

/* MessagePack has a type that no field is of. */
static void test_binary_data(void **state)
{
    static const struct acd_member members[] = {
        {ACD_LITERAL("op"), {.kind = ACD_STRING, .string = ACD_LITERAL("get")}},
        {ACD_LITERAL("app"), {.kind = ACD_STRING, .string = ACD_LITERAL("demo")}},
        {ACD_LITERAL("account"), {.kind = ACD_BYTES, .string = ACD_LITERAL("alice")}},
    };
    static const struct acd_value message = {.kind = ACD_MAP, .count = 3, .members = members};
    struct acd_arena arena;
    struct acd_command command;
    struct acd_refusal refusal;

    acd_arena_init(&arena);
    refusal = acd_command_read(&message, &open_policy, NULL, &arena, &command);
    assert_int_equal(refusal.code, ACD_INVALID_FIELD);
    assert_true(acd_slice_is(refusal.field, "account"));
    assert_non_null(strstr(refusal.message.data, "account is binary data; it must be"));
    acd_arena_free(&arena);
}

/* Paths are cut between characters; messages quote little of what may be huge. */
static void test_cut_paths(void **state)
{
    struct acd_arena arena;
    struct acd_command command;
    struct acd_refusal refusal;
    char json[1200];
    char *at = json;

    acd_arena_init(&arena);
    at += sprintf(at, P "{'");
    for (int i = 0; i < 150; i++)
        at += sprintf(at, "\xe2\x82\xac");
    sprintf(at, "':1}}");
    refusal = read_json(&arena, json, &command);
    assert_int_equal(refusal.code, ACD_UNKNOWN_FIELD);
    assert_int_equal(refusal.field.len, 128);
    assert_memory_equal(refusal.field.data, "profile.\xe2\x82\xac", 11);
    assert_in_range(refusal.message.len, 1, 120);

    refusal = read_json(&arena, CM "'account':'~1000000'}", &command);
    assert_int_equal(refusal.code, ACD_INVALID_FIELD);
    assert_in_range(refusal.message.len, 1, 200);

    refusal = acd_refusal(&arena, ACD_INTERNAL, acd_slice_str(json), "%d", 5);
    assert_in_range(refusal.field.len, 126, ACD_PATH_MAX);
    assert_string_equal(refusal.message.data, "5");
    acd_arena_free(&arena);
}

static void test_cursors(void **state)
{
    static const char *const no_cursors[] = {
        "", "=", "MTpi=", "MTpj!", "MTo", "OmI", "MTouYg", "LTE6Yg", "MDE6Yg", "K1E6Yg", "MTpi\n", "MTpiYmI/",
        /* "253402300800000:b", a time that cannot be; "1:b" with stray bits; no colon */
        "MjUzNDAyMzAwODAwMDAwOmI", "MTpiYh", "YWJj",
        /* longer than any */
        "MTphYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWF"
        "h"};
    struct acd_arena arena;
    struct acd_slice account;
    int64_t ms;

    acd_arena_init(&arena);
    for (size_t len = 1; len <= ACD_NAME_MAX; len++) {
        struct acd_slice name = acd_slice("a.-_@bcdefghijklmnopqrstuvwxyz01", len);
        int64_t time = len % 2 ? ACD_TIME_MAX_MS : (int64_t)len;
        struct acd_slice cursor = acd_cursor_write(time, name, &arena);

        if (!acd_cursor_read(cursor, &arena, &ms, &account))
            fail_msg("cursor %.*s", ACD_SLICE_ARGS(cursor));
        assert_int_equal(ms, time);
        assert_true(acd_slice_equal(account, name));
    }
    for (size_t i = 0; i < sizeof(no_cursors) / sizeof(no_cursors[0]); i++) {
        if (acd_cursor_read(acd_slice_str(no_cursors[i]), &arena, &ms, &account))
            fail_msg("'%s' is no cursor", no_cursors[i]);
    }
    acd_arena_free(&arena);
}

/* A message of many members is read in a time that grows with it, and of memory takes next to none. */
static void test_many_members(void **state)
{
    enum { MEMBERS = 1000000 };
    struct acd_member *members = calloc(MEMBERS, sizeof(*members));
    struct acd_value message = {.kind = ACD_MAP, .count = MEMBERS, .members = members};
    struct acd_arena arena;
    struct acd_command command;
    struct acd_refusal refusal;

    assert_non_null(members);
    acd_arena_init(&arena);
    for (int i = 0; i < MEMBERS; i++) {
        members[i].key = acd_slice_str("unknown");
        members[i].value = (struct acd_value){.kind = ACD_INT, .integer = i};
    }
    members[MEMBERS - 1].key = acd_slice_str("op");
    members[MEMBERS - 1].value = (struct acd_value){.kind = ACD_STRING, .string = ACD_LITERAL("list")};
    members[MEMBERS - 2].key = acd_slice_str("app");
    members[MEMBERS - 2].value = (struct acd_value){.kind = ACD_STRING, .string = ACD_LITERAL("demo")};
    refusal = acd_command_read(&message, &open_policy, NULL, &arena, &command);
    assert_int_equal(refusal.code, ACD_UNKNOWN_FIELD);
    assert_in_range(arena.allocated, 0, 100000);
    acd_arena_free(&arena);
    free(members);
}

/* Of too many entries only the unknown and the missing matter, and none is kept. */
static void test_many_entries(void **state)
{
    enum { ENTRIES = 100000 };
    static const struct acd_member misplaced[] = {
        {.key = ACD_LITERAL("x"), .value = {.kind = ACD_INT, .integer = 1}},
        {.key = ACD_LITERAL("account"), .value = {.kind = ACD_STRING, .string = ACD_LITERAL("a")}},
    };
    struct acd_value *items = calloc(ENTRIES, sizeof(*items));
    struct acd_member members[] = {
        {.key = ACD_LITERAL("op"), .value = {.kind = ACD_STRING, .string = ACD_LITERAL("get")}},
        {.key = ACD_LITERAL("app"), .value = {.kind = ACD_STRING, .string = ACD_LITERAL("demo")}},
        {.key = ACD_LITERAL("accounts"), .value = {.kind = ACD_ARRAY, .count = ENTRIES, .items = items}},
    };
    struct acd_value message = {.kind = ACD_MAP, .count = 3, .members = members};
    struct acd_arena arena;
    struct acd_command command;
    struct acd_refusal refusal;

    assert_non_null(items);
    acd_arena_init(&arena);
    for (int i = 0; i < ENTRIES; i++)
        items[i] = (struct acd_value){.kind = ACD_STRING, .string = ACD_LITERAL("a")};
    refusal = acd_command_read(&message, &open_policy, NULL, &arena, &command);
    assert_int_equal(refusal.code, ACD_INVALID_FIELD);
    assert_true(acd_slice_is(refusal.field, "accounts"));
    items[ENTRIES - 1] = (struct acd_value){.kind = ACD_MAP, .count = 2, .members = misplaced};
    refusal = acd_command_read(&message, &open_policy, NULL, &arena, &command);
    assert_int_equal(refusal.code, ACD_UNKNOWN_FIELD);
    assert_true(acd_slice_is(refusal.field, "accounts[99999].x"));
    items[ENTRIES - 2] = (struct acd_value){.kind = ACD_MAP};
    refusal = acd_command_read(&message, &open_policy, NULL, &arena, &command);
    assert_int_equal(refusal.code, ACD_MISSING_FIELD);
    assert_true(acd_slice_is(refusal.field, "accounts[99998].account"));
    assert_in_range(arena.allocated, 0, 100000);
    acd_arena_free(&arena);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated),     cmocka_unit_test(test_repeated_flags),
        cmocka_unit_test(test_targets),      cmocka_unit_test(test_option_values),
        cmocka_unit_test(test_policy),       cmocka_unit_test(test_outside),
        cmocka_unit_test(test_binary_data),  cmocka_unit_test(test_cut_paths),
        cmocka_unit_test(test_cursors),      cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_many_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
