/* The decision as a table: what a command answers, and what an account is after it. */
#include "support.h"

#include "accountd/buffer.h"

#define APP "demo"

static const struct acd_policy policy = {.admins_per_app = 2};

/* One command of a scenario, which starts from no accounts; its time is 1000 × its place, from 1. */
struct step {
    const char *command; /* without app, which is APP; NULL: the scenario ends */
    const char *answer;
    const char *account; /* the one to look at after it, or NULL */
    const char *becomes;
};

static const struct step create_and_edit[] = {
    {"{'op':'create','account':'al','profile':{'nickname':'Al','level':3.0,'custom':{'b':'2','a':'1'}}}",
     "ok al:ok@1*", "al", "general@1 1000/1000 nickname=Al level=3 custom.a=1 custom.b=2"},
    {"{'op':'create','account':'al'}", "error al:account_exists", NULL, NULL},
    {"{'op':'edit','account':'al','profile':{'nickname':'Al'}}", "ok al:ok@1", "al",
     "general@1 1000/1000 nickname=Al level=3 custom.a=1 custom.b=2"},
    {"{'op':'edit','account':'al','profile':{}}", "ok al:ok@1", NULL, NULL},
    {"{'op':'edit','account':'al','profile':{'nickname':null,'role':0,'custom':{'a':null,'c':'3','b':'2'}}}",
     "ok al:ok@2*", "al", "general@2 1000/5000 level=3 role=0 custom.b=2 custom.c=3"},
    {"{'op':'edit','account':'al','profile':{'nickname':'','custom':{'a':''}}}", "ok al:ok@2", NULL, NULL},
    {"{'op':'edit','account':'al','profile':{'custom':null,'level':''}}", "ok al:ok@3*", "al",
     "general@3 1000/7000 role=0"},
    {"{'op':'edit','account':'al','profile':{'custom':null}}", "ok al:ok@3", NULL, NULL},
    {"{'op':'edit','account':'al','profile':{'custom':{}}}", "ok al:ok@3", NULL, NULL},
    {"{'op':'edit','account':'AL','profile':{}}", "error AL:account_not_found", "AL", "none@0"},
    {"{'op':'edit','account':'al','type':'general','profile':{'role':4294967295}}", "ok al:ok@4*", "al",
     "general@4 1000/11000 role=4294967295"},
    {"{'op':'edit','account':'al','type':'admin','profile':{'role':1}}", "error al:immutable_field(type)",
     "al", "general@4 1000/11000 role=4294967295"},
    {NULL, NULL, NULL, NULL},
};

static const struct step revisions[] = {
    {"{'op':'create','account':'a'}", "ok a:ok@1*", NULL, NULL},
    {"{'op':'edit','account':'a','profile':{'role':1},'if_revision':0}", "error a:revision_conflict@1", "a",
     "general@1 1000/1000"},
    {"{'op':'edit','account':'a','profile':{'role':1},'if_revision':1}", "ok a:ok@2*", NULL, NULL},
    {"{'op':'edit','account':'a','profile':{'role':1},'if_revision':2}", "ok a:ok@2", NULL, NULL},
    {"{'op':'edit','account':'a','type':'admin','profile':{},'if_revision':1}", "error a:revision_conflict@2",
     NULL, NULL},
    {"{'op':'delete','account':'a','if_revision':1}", "error a:revision_conflict@2", NULL, NULL},
    {"{'op':'delete','account':'a','if_revision':2}", "ok a:ok@3*", "a", "none@3"},
    {"{'op':'delete','account':'a'}", "error a:account_not_found", "a", "none@3"},
    {"{'op':'edit','account':'a','profile':{},'if_revision':3}", "error a:account_not_found", NULL, NULL},
    {"{'op':'create','account':'a','profile':{'role':7}}", "ok a:ok@4*", "a", "general@4 10000/10000 role=7"},
    {NULL, NULL, NULL, NULL},
};

static const struct step on_exists[] = {
    {"{'op':'create','account':'a','on_exists':'skip','profile':{'role':1}}", "ok a:ok@1*", NULL, NULL},
    {"{'op':'create','account':'a','on_exists':'skip','type':'admin','profile':{'role':2}}", "ok a:ok@1", "a",
     "general@1 1000/1000 role=1"},
    {"{'op':'create','account':'a','on_exists':'update','profile':{'level':2}}", "ok a:ok@2*", "a",
     "general@2 1000/3000 level=2 role=1"},
    {"{'op':'create','account':'a','on_exists':'update','profile':{'level':2}}", "ok a:ok@2", NULL, NULL},
    {"{'op':'create','account':'a','on_exists':'update'}", "ok a:ok@2", NULL, NULL},
    {"{'op':'create','account':'a','on_exists':'update','type':'admin'}", "error a:immutable_field(type)",
     NULL, NULL},
    {"{'op':'create','account':'b','on_exists':'update','type':'admin'}", "ok b:ok@1*", "b",
     "admin@1 7000/7000"},
    {"{'op':'create','account':'a','on_exists':'error'}", "error a:account_exists", NULL, NULL},
    {NULL, NULL, NULL, NULL},
};

static const struct step admins[] = {
    {"{'op':'create','account':'a','type':'admin'}", "ok a:ok@1*", "a", "admin@1 1000/1000"},
    {"{'op':'create','accounts':['b','c',{'account':'d','type':'general'}],'type':'admin'}",
     "partial b:ok@1* c:admin_limit(type) d:ok@1*", "c", "none@0"},
    {"{'op':'create','accounts':[{'account':'c','type':'admin'}]}", "error c:admin_limit(accounts[0].type)",
     NULL, NULL},
    {"{'op':'create','account':'a','type':'admin'}", "error a:account_exists", NULL, NULL},
    {"{'op':'delete','account':'a','dry_run':true}", "ok a:ok@2*", "a", "admin@1 1000/1000"},
    {"{'op':'create','account':'c','type':'admin'}", "error c:admin_limit(type)", NULL, NULL},
    {"{'op':'delete','account':'d'}", "ok d:ok@2*", NULL, NULL},
    {"{'op':'create','account':'c','type':'admin'}", "error c:admin_limit(type)", NULL, NULL},
    {"{'op':'delete','account':'b'}", "ok b:ok@2*", NULL, NULL},
    {"{'op':'create','account':'c','type':'admin'}", "ok c:ok@1*", NULL, NULL},
    {"{'op':'create','account':'b','type':'admin'}", "error b:admin_limit(type)", "b", "none@2"},
    {NULL, NULL, NULL, NULL},
};

static const struct step many[] = {
    {"{'op':'create','accounts':['a',{'account':'b','profile':{'role':2}}],'profile':{'level':1}}",
     "ok a:ok@1* b:ok@1*", "b", "general@1 1000/1000 role=2"},
    {"{'op':'get','accounts':['b','x','a']}", "partial b:ok@1+ x:account_not_found a:ok@1+", NULL, NULL},
    {"{'op':'get','account':'x'}", "error x:account_not_found", NULL, NULL},
    {"{'op':'export','accounts':['x','y']}", "error x:account_not_found y:account_not_found", NULL, NULL},
    {"{'op':'edit','accounts':['a',{'account':'b','type':'admin','if_revision':1},{'account':'x'}],"
     "'profile':{'role':9}}",
     "partial a:ok@2* b:immutable_field(accounts[1].type) x:account_not_found", "a",
     "general@2 1000/5000 level=1 role=9"},
    {"{'op':'edit','accounts':['a','b'],'if_revision':2,'profile':{'role':3}}",
     "partial a:ok@3* b:revision_conflict@1", NULL, NULL},
    {"{'op':'edit','accounts':['a'],'type':'admin','profile':{}}", "error a:immutable_field(type)", NULL,
     NULL},
    {"{'op':'delete','accounts':['a','x',{'account':'b','if_revision':1}],'confirm':true}",
     "partial a:ok@4* x:account_not_found b:ok@2*", "a", "none@4"},
    {NULL, NULL, NULL, NULL},
};

static const struct step dry_run[] = {
    {"{'op':'create','account':'a','type':'admin','dry_run':true}", "ok a:ok@1*", "a", "none@0"},
    {"{'op':'create','accounts':['a','b','c'],'type':'admin','dry_run':true}",
     "partial a:ok@1* b:ok@1* c:admin_limit(type)", "b", "none@0"},
    {"{'op':'create','accounts':['a','b'],'type':'admin'}", "ok a:ok@1* b:ok@1*", NULL, NULL},
    {"{'op':'edit','account':'a','profile':{'role':1},'dry_run':true}", "ok a:ok@2*", "a",
     "admin@1 3000/3000"},
    {"{'op':'delete','accounts':['a','b'],'confirm':true,'dry_run':true}", "ok a:ok@2* b:ok@2*", "b",
     "admin@1 3000/3000"},
    {"{'op':'edit','account':'a','profile':{'role':1}}", "ok a:ok@2*", "a", "admin@2 3000/6000 role=1"},
    {NULL, NULL, NULL, NULL},
};

#define TEN(l)                                                                                               \
    "'" l "a':'1','" l "b':'1','" l "c':'1','" l "d':'1','" l "e':'1','" l "f':'1','" l "g':'1','" l         \
    "h':'1','" l "i':'1','" l "j':'1'"

static const struct step custom[] = {
    {"{'op':'create','account':'a','profile':{'custom':{" TEN("b") "," TEN("a") "}}}", "ok a:ok@1*", NULL,
     NULL},
    {"{'op':'edit','account':'a','profile':{'role':1,'custom':{'x':'1'}}}",
     "error a:custom_limit(profile.custom)", NULL, NULL},
    {"{'op':'edit','accounts':[{'account':'a','profile':{'custom':{'x':'1'}}}]}",
     "error a:custom_limit(accounts[0].profile.custom)", NULL, NULL},
    {"{'op':'edit','accounts':['a'],'profile':{'custom':{'x':'1'}}}", "error a:custom_limit(profile.custom)",
     NULL, NULL},
    {"{'op':'edit','account':'a','profile':{'custom':{'x':'1','aa':null}}}", "ok a:ok@2*", NULL, NULL},
    {"{'op':'edit','account':'a','profile':{'custom':{'x':'1','nothere':null}}}", "ok a:ok@2", NULL, NULL},
    {"{'op':'edit','account':'a','profile':{'custom':{'x':null,'w':'1'}}}", "ok a:ok@3*", NULL, NULL},
    {"{'op':'edit','account':'a','profile':{'custom':{'w':'2'}}}", "ok a:ok@4*", NULL, NULL},
    {"{'op':'create','account':'b','profile':{'custom':{'z':'1','Z':'2','zz':'3','y':null}}}", "ok b:ok@1*",
     "b", "general@1 9000/9000 custom.Z=2 custom.z=1 custom.zz=3"},
    {NULL, NULL, NULL, NULL},
};

/* What the worker does before a command is decided. */
static struct acd_entry **load(struct acd_state *state, const struct acd_command *command)
{
    struct acd_app *app = acd_state_app(state, command->app);
    struct acd_entry **entries = acd_state_entries(state, command);

    if (app->admins < 0)
        app->admins_base = app->admins = 0;
    for (uint32_t i = 0; i < command->target_count; i++)
        if (!entries[i]->current)
            entries[i]->base = entries[i]->current = &acd_account_none;
    return entries;
}

static struct acd_answer apply(struct acd_state *state, const struct acd_command *command, int64_t now_ms)
{
    return acd_apply(state->arena, command, load(state, command), &policy, now_ms);
}

static const char *with_app(struct acd_arena *arena, const char *command)
{
    return acd_arena_format(arena, "{'app':'" APP "',%s", command + 1).data;
}

static void run(void **unused, const struct step *steps)
{
    struct acd_arena arena;
    struct acd_state state;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, 8);
    for (int i = 0; steps[i].command; i++) {
        const struct step *step = &steps[i];
        struct acd_command command;
        struct acd_answer answer;
        const char *text;

        test_command(&arena, with_app(&arena, step->command), &policy, &command);
        answer = apply(&state, &command, (i + 1) * 1000);
        text = test_answer_text(&arena, &answer);
        if (strcmp(text, step->answer) != 0)
            fail_msg("step %d: %s\n  answers %s\n  not     %s", i + 1, step->command, text, step->answer);
        if (!step->account)
            continue;
        text = test_account_text(
            &arena, acd_state_find(&state, acd_slice_str(APP), acd_slice_str(step->account))->current);
        if (strcmp(text, step->becomes) != 0)
            fail_msg("step %d: %s\n  leaves %s\n  not    %s", i + 1, step->command, text, step->becomes);
    }
    acd_arena_free(&arena);
}

#define SCENARIO(name)                                                                                       \
    static void test_##name(void **unused)                                                                   \
    {                                                                                                        \
        run(unused, name);                                                                                   \
    }

SCENARIO(create_and_edit)
SCENARIO(revisions)
SCENARIO(on_exists)
SCENARIO(admins)
SCENARIO(many)
SCENARIO(dry_run)
SCENARIO(custom)

/* An answer keeps the version it was true of, whatever later commands of the batch do. */
static void test_records_stay(void **unused)
{
    struct acd_arena arena;
    struct acd_state state;
    struct acd_command create, get, edit;
    struct acd_answer answer;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, 8);
    test_command(&arena, "{'op':'create','app':'demo','account':'a','profile':{'role':1}}", &policy, &create);
    test_command(&arena, "{'op':'get','app':'demo','account':'a'}", &policy, &get);
    test_command(&arena, "{'op':'edit','app':'demo','account':'a','profile':{'role':2}}", &policy, &edit);
    apply(&state, &create, 1);
    answer = apply(&state, &get, 2);
    apply(&state, &edit, 3);
    assert_string_equal(test_account_text(&arena, answer.outcomes[0].record), "general@1 1/1 role=1");
    assert_ptr_equal(state.entries->base, &acd_account_none);
    acd_arena_free(&arena);
}

static void test_needs_admins(void **unused)
{
    static const struct {
        const char *command;
        bool needs;
    } table[] = {
        {"{'op':'create','account':'new'}", false},
        {"{'op':'create','account':'new','type':'admin'}", true},
        {"{'op':'create','accounts':['x',{'account':'new','type':'admin'}]}", true},
        {"{'op':'edit','account':'admin','profile':{}}", false},
        {"{'op':'delete','account':'general'}", false},
        {"{'op':'delete','account':'new'}", false},
        {"{'op':'delete','account':'admin'}", true},
        {"{'op':'delete','accounts':['general','admin'],'confirm':true}", true},
        {"{'op':'get','account':'admin'}", false},
        {"{'op':'list'}", false},
    };
    static const struct acd_account general = {.exists = true, .type = ACD_GENERAL, .revision = 1};
    static const struct acd_account admin = {.exists = true, .type = ACD_ADMIN, .revision = 1};
    struct acd_arena arena;
    struct acd_state state;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, 8);
    acd_state_entry(&state, acd_slice_str(APP), acd_slice_str("general"))->current = &general;
    acd_state_entry(&state, acd_slice_str(APP), acd_slice_str("admin"))->current = &admin;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_command command;

        test_command(&arena, with_app(&arena, table[i].command), &policy, &command);
        if (acd_apply_needs_admins(&command, load(&state, &command)) != table[i].needs)
            fail_msg("%s", table[i].command);
    }
    acd_arena_free(&arena);
}

/* A set of admins that other hands have emptied: deleting the admin that is left does not count below
 * nothing. */
static void test_admins_below_nothing(void **unused)
{
    static const struct acd_account admin = {.exists = true, .type = ACD_ADMIN, .revision = 1};
    struct acd_arena arena;
    struct acd_state state;
    struct acd_command command;
    struct acd_answer answer;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, 8);
    acd_state_entry(&state, acd_slice_str(APP), acd_slice_str("a"))->current = &admin;
    test_command(&arena, "{'op':'delete','app':'demo','account':'a'}", &policy, &command);
    answer = apply(&state, &command, 1);
    assert_string_equal(test_answer_text(&arena, &answer), "ok a:ok@2*");
    assert_int_equal(acd_state_app(&state, acd_slice_str(APP))->admins, 0);
    assert_true(acd_state_app(&state, acd_slice_str(APP))->admins_touched);
    acd_arena_free(&arena);
}

static void test_messages(void **unused)
{
    struct acd_arena arena;
    struct acd_state state;
    struct acd_command command;
    struct acd_answer answer;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, 8);
    test_command(&arena, "{'op':'get','app':'demo','account':'bob'}", &policy, &command);
    answer = apply(&state, &command, 1);
    assert_string_equal(answer.refusal.message.data, "account bob does not exist in app demo");
    assert_int_equal(answer.refusal.code, ACD_ACCOUNT_NOT_FOUND);
    acd_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_and_edit),
        cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_on_exists),
        cmocka_unit_test(test_admins),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_custom),
        cmocka_unit_test(test_records_stay),
        cmocka_unit_test(test_needs_admins),
        cmocka_unit_test(test_admins_below_nothing),
        cmocka_unit_test(test_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
