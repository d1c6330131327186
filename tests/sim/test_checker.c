/* The checker: a right history passes, and each kind of wrong one is told.
 *
 * Histories are text, ' standing for ":
 *   post P VALUE               a command to partition P; it is posted a second after the one before
 *   reply P:OFFSET KEY VALUE   the reply to it; v, id, at and source are added where VALUE lacks them
 *   change P KEY VALUE         a record of the changelog
 *   redis KEY NAME VALUE       what Redis holds
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "history.h"

#define LINES_MAX 64

/* clang-format off */
static const char right[] =
    "post 0 {'op':'create','app':'demo','account':'ann','type':'admin','profile':{'nickname':'A'}}\n"
    "post 1 {'op':'edit','app':'demo','account':'ann','profile':{'nickname':'B','custom':{'T':'x'},'level':7.0}}\n"
    "post 0 {'op':'get','app':'demo','account':'ann','id':'g-1'}\n"
    "post 1 {'op':'create','app':'demo','account':'bob','type':'admin'}\n"
    "post 0 {'op':'create','app':'demo','account':'bob'}\n"
    "post 1 {'op':'delete','app':'demo','account':'bob','if_revision':1}\n"
    "post 0 {'op':'edit','app':'demo','account':'ann','profile':{'nickname':'C'},'dry_run':true}\n"
    "post 1 {'op':'get','app':'demo','accounts':['ann','bob']}\n"
    "post 0 nonsense\n"
    "post 0 {'op':'create','app':'demo','account':'cy'}\n"
    "post 0 {'op':'list','app':'demo'}\n"
    "post 1 {'op':'edit','app':'demo','account':'ann','profile':{'level':7},'if_revision':1}\n"

    "reply 0:0 ann {'op':'create','app':'demo','account':'ann','status':'ok','revision':1,'changed':true}\n"
    "reply 1:0 ann {'op':'edit','app':'demo','account':'ann','status':'ok','revision':2,'changed':true}\n"
    "reply 0:1 ann {'id':'g-1','op':'get','app':'demo','account':'ann','status':'ok','record':{'app':'demo',"
        "'account':'ann','type':'admin','revision':2,'created_at':'1970-01-01T00:00:01.000Z',"
        "'updated_at':'1970-01-01T00:00:02.000Z','profile':{'nickname':'B','level':7,'custom':{'T':'x'}}}}\n"
    "reply 1:1 bob {'op':'create','app':'demo','account':'bob','status':'error',"
        "'error':{'code':'admin_limit','message':'no'}}\n"
    "reply 0:2 bob {'op':'create','app':'demo','account':'bob','status':'ok','revision':1,'changed':true}\n"
    "reply 1:2 bob {'op':'delete','app':'demo','account':'bob','status':'ok','revision':2,'changed':true}\n"
    "reply 0:3 ann {'op':'edit','app':'demo','account':'ann','status':'ok','dry_run':true,'revision':3,"
        "'changed':true}\n"
    "reply 1:3 - {'op':'get','app':'demo','status':'partial','counts':{'ok':1,'error':1},'results':[{'account':"
        "'ann','status':'ok','record':{'app':'demo','account':'ann','type':'admin','revision':2,'created_at':"
        "'1970-01-01T00:00:01.000Z','updated_at':'1970-01-01T00:00:02.000Z','profile':{'nickname':'B','level':7,"
        "'custom':{'T':'x'}}}},{'account':'bob','status':'error','error':{'code':'account_not_found',"
        "'message':'gone'}}]}\n"
    "reply 0:4 - {'status':'error','error':{'code':'malformed','message':'not a command'}}\n"
    "reply 0:5 cy {'op':'create','app':'demo','account':'cy','status':'ok','revision':1,'changed':true}\n"
    "reply 0:6 - {'op':'list','app':'demo','status':'ok','rows':[{'account':'ann','type':'admin','nickname':'B',"
        "'created_at':'1970-01-01T00:00:01.000Z'},{'account':'cy','type':'general','created_at':"
        "'1970-01-01T00:00:10.000Z'}],'total':2,'next':null}\n"
    "reply 1:4 ann {'op':'edit','app':'demo','account':'ann','status':'error','error':{'code':"
        "'revision_conflict','message':'is at 2','revision':2}}\n"

    "change 0 demo/ann {'app':'demo','account':'ann','type':'admin','revision':1,'created_at':"
        "'1970-01-01T00:00:01.000Z','updated_at':'1970-01-01T00:00:01.000Z','profile':{'nickname':'A'}}\n"
    "change 1 demo/ann {'app':'demo','account':'ann','type':'admin','revision':2,'created_at':"
        "'1970-01-01T00:00:01.000Z','updated_at':'1970-01-01T00:00:02.000Z','profile':{'nickname':'B','level':7,"
        "'custom':{'T':'x'}}}\n"
    "change 0 demo/bob {'app':'demo','account':'bob','type':'general','revision':1,'created_at':"
        "'1970-01-01T00:00:05.000Z','updated_at':'1970-01-01T00:00:05.000Z','profile':{}}\n"
    "change 1 demo/bob {'app':'demo','account':'bob','deleted':true,'revision':2,'at':"
        "'1970-01-01T00:00:06.000Z'}\n"
    "change 0 demo/cy {'app':'demo','account':'cy','type':'general','revision':1,'created_at':"
        "'1970-01-01T00:00:10.000Z','updated_at':'1970-01-01T00:00:10.000Z','profile':{}}\n"

    "redis acct:{demo}:ann type admin\n"
    "redis acct:{demo}:ann rev 2\n"
    "redis acct:{demo}:ann created_at 1000\n"
    "redis acct:{demo}:ann updated_at 2000\n"
    "redis acct:{demo}:ann nickname B\n"
    "redis acct:{demo}:ann level 7\n"
    "redis acct:{demo}:ann custom.T x\n"
    "redis acct:{demo}:cy type general\n"
    "redis acct:{demo}:cy rev 1\n"
    "redis acct:{demo}:cy created_at 10000\n"
    "redis acct:{demo}:cy updated_at 10000\n"
    "redis accounts:{demo} ann 1000\n"
    "redis accounts:{demo} cy 10000\n"
    "redis admins:{demo} ann \n"
    "redis deleted:{demo} bob 2\n";

/* Each partition reads what the other one made: both too early is impossible. */
static const char crossed[] =
    "post 0 {'op':'create','app':'demo','account':'ann'}\n"
    "post 1 {'op':'create','app':'demo','account':'bob'}\n"
    "post 0 {'op':'get','app':'demo','account':'bob'}\n"
    "post 1 {'op':'get','app':'demo','account':'ann'}\n"
    "reply 0:0 ann {'op':'create','app':'demo','account':'ann','status':'ok','revision':1,'changed':true}\n"
    "reply 1:0 bob {'op':'create','app':'demo','account':'bob','status':'ok','revision':1,'changed':true}\n"
    "reply 0:1 bob {'op':'get','app':'demo','account':'bob','status':'error',"
        "'error':{'code':'account_not_found','message':'no'}}\n"
    "reply 1:1 ann {'op':'get','app':'demo','account':'ann','status':'error',"
        "'error':{'code':'account_not_found','message':'no'}}\n";

/* A command that was set aside has no effect. */
static const char set_aside[] =
    "post 0 {'op':'create','app':'demo','account':'ann','id':'c-1'}\n"
    "post 1 {'op':'get','app':'demo','account':'ann'}\n"
    "reply 0:0 - {'status':'error','error':{'code':'internal','message':'no'}}\n"
    "reply 1:0 ann {'op':'get','app':'demo','account':'ann','status':'error',"
        "'error':{'code':'account_not_found','message':'no'}}\n";

/* What is right with one part of it replaced, and words of what the checker must say. A part that begins with ^
 * is the whole line that begins so. */
static const struct wrong {
    const char *name;
    const char *part;
    const char *with;
    const char *says;
} wrongs[] = {
    {"reply lost", "^reply 1:2", "", "account.commands:1:2 has no reply"},
    {"reply doubled", "reply 1:1 bob", "reply 0:2 bob {'op':'create','app':'demo','account':'bob','status':'ok',"
        "'revision':1,'changed':true}\nreply 1:1 bob", "account.commands:0:2 has two replies"},
    {"reply to nobody", "reply 1:2", "reply 1:9", "of a command that nobody posted"},
    {"reply unreadable", "reply 1:2 bob {'", "reply 1:2 bob {", "cannot be read"},
    {"replies in another order", "reply 0:2 bob {'op':'create','app':'demo','account':'bob','status':'ok',"
        "'revision':1,'changed':true}\nreply 1:2 bob {'op':'delete','app':'demo','account':'bob','status':'ok',"
        "'revision':2,'changed':true}\nreply 0:3 ann {'op':'edit','app':'demo','account':'ann','status':'ok',"
        "'dry_run':true,'revision':3,'changed':true}\n",
        "reply 0:3 ann {'op':'edit','app':'demo','account':'ann','status':'ok','dry_run':true,'revision':3,"
        "'changed':true}\nreply 1:2 bob {'op':'delete','app':'demo','account':'bob','status':'ok',"
        "'revision':2,'changed':true}\nreply 0:2 bob {'op':'create','app':'demo','account':'bob','status':'ok',"
        "'revision':1,'changed':true}\n", "account.commands:0:3 is answered at 0:"},
    {"another key", "reply 0:0 ann", "reply 0:0 bob", "has the key bob, should have ann"},
    {"another id", "{'id':'g-1','op':'get','app':'demo','account':'ann','status'",
        "{'id':'g-2','op':'get','app':'demo','account':'ann','status'", "should be"},
    {"another time", "'revision':2,'changed':true}\nreply 0:1",
        "'revision':2,'changed':true,'at':'1970-01-01T00:00:03.000Z'}\nreply 0:1", "should be"},
    {"a member too many", "'revision':2,'changed':true}\nreply 0:1",
        "'revision':2,'changed':true,'why':1}\nreply 0:1", "should be"},
    {"a result too many", "'message':'gone'}}]}", "'message':'gone'}},{'account':'cy','status':'ok'}]}",
        "should be"},
    {"code untrue", "admin_limit", "immutable_field", "no order of the commands"},
    {"conflict with another revision", "'is at 2','revision':2", "'is at 2','revision':3",
        "no order of the commands"},
    {"revision twice", "'revision':2,'changed':true}\nreply 0:1", "'revision':1,'changed':true}\nreply 0:1",
        "demo/ann: revision 1 was made twice"},
    {"revision gap", "'revision':2,'changed':true}\nreply 0:1", "'revision':3,'changed':true}\nreply 0:1",
        "demo/ann: nothing made revision 2"},
    {"change taken for none", "'revision':2,'changed':true}\nreply 0:1",
        "'revision':2,'changed':false}\nreply 0:1", "no order of the commands"},
    {"read of what was never there", "'profile':{'nickname':'B','level':7,'custom':{'T':'x'}}}}\nreply",
        "'profile':{'nickname':'Z','level':7,'custom':{'T':'x'}}}}\nreply", "no order of the commands"},
    {"read of what came later", "reply 1:3 - {'op':'get','app':'demo','status':'partial','counts':{'ok':1,'error':1},"
        "'results':[{'account':'ann','status':'ok','record':{'app':'demo','account':'ann','type':'admin',"
        "'revision':2", "reply 1:3 - {'op':'get','app':'demo','status':'partial','counts':{'ok':1,'error':1},"
        "'results':[{'account':'ann','status':'ok','record':{'app':'demo','account':'ann','type':'admin',"
        "'revision':3", "no order of the commands"},
    {"read without the partition's own effects", "^reply 0:1", "reply 0:1 ann {'id':'g-1','op':'get','app':'demo',"
        "'account':'ann','status':'error','error':{'code':'account_not_found','message':'none'}}\n",
        "no order of the commands"},
    {"admin over the limit", "'status':'error','error':{'code':'admin_limit','message':'no'}",
        "'status':'ok','revision':1,'changed':true", "revision 1 was made twice"},
    {"refused for an admin that was never there", "'account':'ann','type':'admin','profile':{'nickname':'A'}}\npost",
        "'account':'ann','profile':{'nickname':'A'}}\npost", "no order of the commands"},
    {"dry run took effect", "'status':'ok','dry_run':true,'revision':3", "'status':'ok','revision':3", "should be"},
    {"command taken for malformed", "post 0 nonsense", "post 0 {'op':'list','app':'demo'}", "should be"},
    {"malformed taken for a command", "'code':'malformed'", "'code':'unknown_op'", "should be"},
    {"own account not listed", ",{'account':'cy','type':'general','created_at':'1970-01-01T00:00:10.000Z'}]", "]",
        "no order of the commands"},
    {"own account listed wrongly", "{'account':'cy','type':'general','created_at':'1970-01-01T00:00:10.000Z'}]",
        "{'account':'cy','type':'admin','created_at':'1970-01-01T00:00:10.000Z'}]", "no order of the commands"},
    {"list out of order", "'nickname':'B','created_at':'1970-01-01T00:00:01.000Z'}",
        "'nickname':'B','created_at':'1970-01-01T00:00:11.000Z'}", "out of order"},
    {"list with a total too small", "'total':2", "'total':1", "no answer to a list"},
    {"change not in the changelog", "^change 1 demo/bob", "", "changelog partition 1 lacks a change of demo/bob"},
    {"change in another partition", "change 1 demo/bob", "change 0 demo/bob", "no command made this change"},
    {"change twice", "change 1 demo/bob", "change 0 demo/ann {}\nchange 1 demo/bob",
        "no command made this change of demo/ann"},
    {"change with other content", "'profile':{'nickname':'A'}}\nchange", "'profile':{'nickname':'B'}}\nchange",
        "changelog partition 0"},
    {"null in the changelog", "^change 1 demo/bob", "change 1 demo/bob -\n", "demo/bob is"},
    {"field differs", "ann nickname B", "ann nickname C", "acct:{demo}:ann nickname is C, should be B"},
    {"field left over", "redis acct:{demo}:ann rev", "redis acct:{demo}:ann role 4\nredis acct:{demo}:ann rev",
        "acct:{demo}:ann role should not be there, is 4"},
    {"field not there", "^redis acct:{demo}:ann custom.T", "", "acct:{demo}:ann custom.T is not there"},
    {"deleted account left over", "redis acct:{demo}:cy type", "redis acct:{demo}:bob rev 1\n"
        "redis acct:{demo}:cy type", "acct:{demo}:bob rev should not be there"},
    {"index score differs", "accounts:{demo} cy 10000", "accounts:{demo} cy 10001",
        "accounts:{demo} cy is 10001, should be 10000"},
    {"not in the index", "^redis accounts:{demo} cy", "", "accounts:{demo} cy is not there"},
    {"left in the index", "redis admins", "redis accounts:{demo} bob 5000\nredis admins",
        "accounts:{demo} bob should not be there"},
    {"not in the admin set", "^redis admins", "", "admins:{demo} ann is not there"},
    {"admin set too large", "redis admins", "redis admins:{demo} cy \nredis admins",
        "admins:{demo} cy should not be there"},
    {"deletion forgotten", "^redis deleted", "", "deleted:{demo} bob is not there"},
    {"deletion at another revision", "deleted:{demo} bob 2", "deleted:{demo} bob 1",
        "deleted:{demo} bob is 1, should be 2"},
};
/* clang-format on */

struct text {
    struct acd_arena *arena;
    struct sim_command commands[LINES_MAX];
    struct sim_message replies[LINES_MAX];
    struct sim_message changes[LINES_MAX];
    struct sim_item items[LINES_MAX];
    struct sim_history history;
};

/* The next word of a line; the rest of it, when `last`. A lone - is nothing. */
static struct acd_slice word(struct text *text, char **line, bool last)
{
    size_t len = last ? strlen(*line) : strcspn(*line, " ");
    struct acd_slice copy = acd_arena_copy(text->arena, acd_slice(*line, len));

    *line += len + ((*line)[len] == ' ');
    for (size_t i = 0; i < copy.len; i++)
        if (copy.data[i] == '\'')
            ((char *)(uintptr_t)copy.data)[i] = '"';
    return acd_slice_is(copy, "-") ? acd_slice(NULL, 0) : copy;
}

static void read_post(struct text *text, char *line)
{
    uint32_t number = text->history.command_count++;
    struct sim_command *command = &text->commands[number];

    command->partition = atoi(word(text, &line, false).data);
    command->timestamp_ms = 1000 * ((int64_t)number + 1);
    command->value = word(text, &line, true);
    for (uint32_t i = 0; i < number; i++)
        command->offset += text->commands[i].partition == command->partition;
}

static void add_missing(json_t *reply, const char *name, json_t *value)
{
    if (json_object_get(reply, name))
        json_decref(value);
    else
        json_object_set_new(reply, name, value);
}

static struct acd_slice complete(struct text *text, const struct sim_command *command, struct acd_slice value)
{
    json_t *reply = json_loadb(value.data, value.len, 0, NULL);
    struct acd_slice copy = value;
    char *dump;

    if (!reply)
        return copy;
    add_missing(reply, "v", json_integer(1));
    add_missing(reply, "id",
                json_string(acd_arena_format(text->arena, "account.commands:%d:%d", command->partition,
                                             (int)command->offset)
                                .data));
    add_missing(reply, "at",
                json_string(acd_arena_format(text->arena, "1970-01-01T00:00:%02d.000Z",
                                             (int)(command->timestamp_ms / 1000))
                                .data));
    add_missing(reply, "source",
                json_pack("{sssisi}", "topic", "account.commands", "partition", (int)command->partition,
                          "offset", (int)command->offset));
    dump = json_dumps(reply, JSON_COMPACT);
    copy = acd_arena_copy(text->arena, acd_slice_str(dump));
    free(dump);
    json_decref(reply);
    return copy;
}

/* Like the word behind a name in a value, for the headers. */
static struct acd_slice member(struct text *text, struct acd_slice value, const char *path, const char *name)
{
    json_t *tree = json_loadb(value.data, value.len, 0, NULL);
    const json_t *inner = path ? json_object_get(tree, path) : tree;
    const char *string = json_string_value(json_object_get(inner, name));
    struct acd_slice copy = string ? acd_arena_copy(text->arena, acd_slice_str(string)) : acd_slice(NULL, 0);

    json_decref(tree);
    return copy;
}

static void read_reply(struct text *text, char *line)
{
    uint32_t number = text->history.reply_count++;
    struct sim_message *reply = &text->replies[number];
    struct acd_header *headers = acd_arena_calloc(text->arena, 3, sizeof(*headers));
    struct acd_slice source = word(text, &line, false);
    struct sim_command command = {.partition = atoi(source.data),
                                  .offset = atoi(strchr(source.data, ':') + 1)};

    for (uint32_t i = 0; i < text->history.command_count; i++)
        if (text->commands[i].partition == command.partition && text->commands[i].offset == command.offset)
            command = text->commands[i];
    *reply = (struct sim_message){"account.replies", command.partition, number, word(text, &line, false),
                                  {NULL, 0},         headers,           2};
    reply->value = complete(text, &command, word(text, &line, true));
    headers[0] = (struct acd_header){ACD_LITERAL("content-type"), ACD_LITERAL("application/json")};
    headers[1] =
        (struct acd_header){ACD_LITERAL("accountd-status"), member(text, reply->value, NULL, "status")};
    headers[2] =
        (struct acd_header){ACD_LITERAL("accountd-code"), member(text, reply->value, "error", "code")};
    reply->header_count += headers[2].value.data != NULL;
}

static void read_line(struct text *text, char *line)
{
    struct acd_slice kind = word(text, &line, false);
    uint32_t number;
    int32_t partition;

    if (acd_slice_is(kind, "post")) {
        read_post(text, line);
    } else if (acd_slice_is(kind, "reply")) {
        read_reply(text, line);
    } else if (acd_slice_is(kind, "change")) {
        number = text->history.change_count++;
        partition = atoi(word(text, &line, false).data);
        text->changes[number] =
            (struct sim_message){.topic = "account.changelog", .partition = partition, .offset = number};
        text->changes[number].key = word(text, &line, false);
        text->changes[number].value = word(text, &line, true);
    } else {
        number = text->history.redis_count++;
        text->items[number].key = word(text, &line, false);
        text->items[number].name = word(text, &line, false);
        text->items[number].value = word(text, &line, true);
    }
}

static const char *judge(struct acd_arena *arena, const char *lines)
{
    struct text *text = acd_arena_calloc(arena, 1, sizeof(*text));
    char *copy = (char *)(uintptr_t)acd_arena_copy(arena, acd_slice_str(lines)).data;

    text->arena = arena;
    text->history = (struct sim_history){.commands = text->commands,
                                         .partitions = 2,
                                         .replies = text->replies,
                                         .changes = text->changes,
                                         .redis = text->items,
                                         .admins_per_app = 1,
                                         .prefix = ""};
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        read_line(text, line);
    return sim_check(arena, &text->history);
}

static void test_right(void **unused)
{
    struct acd_arena arena;
    const char *says;

    acd_arena_init(&arena);
    says = judge(&arena, right);
    if (says)
        fail_msg("a right history is taken for wrong: %s", says);
    says = judge(&arena, set_aside);
    if (says)
        fail_msg("a command that was set aside is taken for wrong: %s", says);
    says = judge(&arena, acd_arena_format(&arena, "%sredis deleted:{demo} ann 1\n", set_aside).data);
    assert_non_null(says);
    acd_arena_free(&arena);
}

static void test_crossed(void **unused)
{
    struct acd_arena arena;
    const char *says;

    acd_arena_init(&arena);
    says = judge(&arena, crossed);
    if (!says || !strstr(says, "at best 3 of 4, and then\n  next of partition 1, offset 1"))
        fail_msg("two orders at once pass, or the words are others: %s", says ? says : "all is well");
    acd_arena_free(&arena);
}

static const char *spoil(struct acd_arena *arena, const struct wrong *wrong)
{
    bool line = wrong->part[0] == '^';
    const char *part = wrong->part + line;
    const char *from = strstr(right, part);

    if (!from || strstr(from + 1, part))
        fail_msg("%s: the part to replace is there %s", wrong->name, from ? "twice" : "not at all");
    return acd_arena_format(arena, "%.*s%s%s", (int)(from - right), right, wrong->with,
                            line ? strchr(from, '\n') + 1 : from + strlen(part))
        .data;
}

static void test_wrong(void **unused)
{
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const char *says = judge(&arena, spoil(&arena, &wrongs[i]));

        if (!says || !strstr(says, wrongs[i].says))
            fail_msg("%s: the checker should say \"%s\", but says: %s", wrongs[i].name, wrongs[i].says,
                     says ? says : "all is well");
    }
    acd_arena_free(&arena);
}

/* ---- The generator */

static bool same_commands(const struct sim_command *a, const struct sim_command *b, uint32_t count)
{
    bool same = true;

    for (uint32_t i = 0; i < count; i++)
        same = same && a[i].partition == b[i].partition && a[i].timestamp_ms == b[i].timestamp_ms &&
               acd_slice_equal(a[i].key, b[i].key) && acd_slice_equal(a[i].value, b[i].value) &&
               a[i].header_count == b[i].header_count;
    return same;
}

static void test_generate(void **unused)
{
    static const struct world any;
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (uint64_t seed = 0; seed < 100; seed++) {
        const struct sim_command *commands = sim_generate(&arena, seed, &any, 3, 30);

        assert_true(same_commands(commands, sim_generate(&arena, seed, &any, 3, 30), 30));
        assert_false(same_commands(commands, sim_generate(&arena, seed + 1, &any, 3, 30), 30));
        for (uint32_t i = 0; i < 30; i++)
            assert_in_range(commands[i].partition, 0, 2);
    }
    acd_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_crossed),
        cmocka_unit_test(test_generate),
    };

    return cmocka_run_group_tests_name("checker", tests, NULL, NULL);
}
