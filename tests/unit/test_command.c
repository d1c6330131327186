/* Reading commands as a table: what is refused, where, and why. */
#include "support.h"

static const struct acd_policy open_policy = {.admins_per_app = 10};

/* A message and its refusal, in the order of the contract. */
struct row {
    const char *message;
    enum acd_code code;
    const char *field;
    const char *says; /* a part of the message, or NULL */
};

#define C  "{'op':'create','app':'demo','account':'a',"
#define CM "{'op':'create','app':'demo',"
#define P  C "'profile':"
#define E  "{'op':'edit','app':'demo','account':'a',"
#define EM "{'op':'edit','app':'demo',"
#define D  "{'op':'delete','app':'demo',"
#define L  "{'op':'list','app':'demo',"
#define X  "{'op':'export','app':'demo',"

static const struct row roots[] = {
    {"[]", ACD_MALFORMED, "", "one map"},
    {"{}", ACD_MISSING_FIELD, "op", "create, edit, delete, get, list or export"},
    {"{'op':null}", ACD_MISSING_FIELD, "op", NULL},
    {"{'op':'made','nonsense':1}", ACD_UNKNOWN_OP, "op", "op is 'made'; it must be create, edit"},
    {"{'op':'Create'}", ACD_UNKNOWN_OP, "op", NULL},
    {"{'op':1}", ACD_UNKNOWN_OP, "op", "op is 1;"},
    {"{'op':'made','app':'demo','account':5}", ACD_UNKNOWN_OP, "op", NULL},
    {"{'op':'create'}", ACD_MISSING_FIELD, "app", NULL},
    {"{'op':'create','app':'demo'}", ACD_MISSING_FIELD, "account", NULL},
    {"{'op':'create','app':'demo','account':null}", ACD_MISSING_FIELD, "account", NULL},
    {"{'op':'list'}", ACD_MISSING_FIELD, "app", NULL},
    {C "'v':1}", ACD_OK, "", NULL},
    {C "'v':1.0}", ACD_OK, "", NULL},
    {C "'v':null}", ACD_OK, "", NULL},
    {C "'v':2}", ACD_UNSUPPORTED_VERSION, "v", "v is 2"},
    {C "'v':'1'}", ACD_UNSUPPORTED_VERSION, "v", NULL},
    {C "'v':true}", ACD_UNSUPPORTED_VERSION, "v", NULL},
    {C "'v':false}", ACD_UNSUPPORTED_VERSION, "v", "v is false;"},
    {"{'v':9,'op':'made'}", ACD_UNSUPPORTED_VERSION, "v", NULL},
    {"{'v':9}", ACD_UNSUPPORTED_VERSION, "v", NULL},
    {C "'id':'c-1~!'}", ACD_OK, "", NULL},
    {C "'id':''}", ACD_INVALID_FIELD, "id", NULL},
    {C "'id':'a b'}", ACD_INVALID_FIELD, "id", NULL},
    {C "'id':'~64'}", ACD_OK, "", NULL},
    {C "'id':'~65'}", ACD_INVALID_FIELD, "id", NULL},
    {C "'id':'a\\u007f'}", ACD_INVALID_FIELD, "id", NULL},
    {C "'id':5}", ACD_INVALID_FIELD, "id", "id is 5"},
    {"{'op':'create','app':'','account':'a'}", ACD_INVALID_FIELD, "app", NULL},
    {"{'op':'create','app':'a.b','account':'a'}", ACD_INVALID_FIELD, "app", "A-Z a-z 0-9 _ -"},
    {"{'op':'create','app':'-_aZ9','account':'a'}", ACD_OK, "", NULL},
    {"{'op':'create','app':'~32','account':'a'}", ACD_OK, "", NULL},
    {"{'op':'create','app':'~33','account':'a'}", ACD_INVALID_FIELD, "app", NULL},
    {CM "'account':'~32'}", ACD_OK, "", NULL},
    {CM "'account':'~33'}", ACD_INVALID_FIELD, "account", NULL},
    {CM "'account':'9a._@-Z'}", ACD_OK, "", NULL},
    {CM "'account':'.a'}", ACD_INVALID_FIELD, "account", "first a letter or a digit"},
    {CM "'account':'a{'}", ACD_INVALID_FIELD, "account", NULL},
    {CM "'account':'[a'}", ACD_INVALID_FIELD, "account", NULL},
    {CM "'account':'a b'}", ACD_INVALID_FIELD, "account", NULL},
    {CM "'account':''}", ACD_INVALID_FIELD, "account", NULL},
    {CM "'account':7}", ACD_INVALID_FIELD, "account", "account is 7;"},
};

static const struct row unknown[] = {
    {C "'nick':1}", ACD_UNKNOWN_FIELD, "nick", "'nick' is no field of create"},
    {C "'nick':null}", ACD_OK, "", NULL},
    {C "'':1}", ACD_UNKNOWN_FIELD, "", NULL},
    {C "'limit':1}", ACD_UNKNOWN_FIELD, "limit", NULL},
    {C "'if_revision':1}", ACD_UNKNOWN_FIELD, "if_revision", NULL},
    {C "'confirm':true}", ACD_UNKNOWN_FIELD, "confirm", NULL},
    {E "'profile':{},'on_exists':'skip'}", ACD_UNKNOWN_FIELD, "on_exists", NULL},
    {D "'account':'a','type':'admin'}", ACD_UNKNOWN_FIELD, "type", NULL},
    {"{'op':'get','app':'demo','account':'a','dry_run':true}", ACD_UNKNOWN_FIELD, "dry_run", NULL},
    {L "'account':'a'}", ACD_UNKNOWN_FIELD, "account", NULL},
    {L "'accounts':['a']}", ACD_UNKNOWN_FIELD, "accounts", NULL},
    {P "{'nick':1}}", ACD_UNKNOWN_FIELD, "profile.nick", NULL},
    {P "{'nick':null}}", ACD_UNKNOWN_FIELD, "profile.nick", NULL},
    {P "{'Nickname':'x'}}", ACD_UNKNOWN_FIELD, "profile.Nickname", NULL},
    {CM "'accounts':['a',{'account':'b','nick':1}]}", ACD_UNKNOWN_FIELD, "accounts[1].nick", NULL},
    {CM "'accounts':['a',{'account':'b','nick':null}]}", ACD_OK, "", NULL},
    {CM "'accounts':[{'account':'b','app':'demo'}]}", ACD_UNKNOWN_FIELD, "accounts[0].app", NULL},
    {CM "'accounts':[{'account':'b','if_revision':1}]}", ACD_UNKNOWN_FIELD, "accounts[0].if_revision", NULL},
    {CM "'accounts':['a',{'account':'b','profile':{'x':null}}]}", ACD_UNKNOWN_FIELD, "accounts[1].profile.x",
     NULL},
    {"{'op':'get','app':'demo','accounts':[{'account':'b','profile':{}}]}", ACD_UNKNOWN_FIELD,
     "accounts[0].profile", NULL},
    /* The message's own order, depth first. */
    {CM "'accounts':[{'x':1,'account':'a'}],'y':1}", ACD_UNKNOWN_FIELD, "accounts[0].x", NULL},
    {CM "'y':1,'accounts':[{'x':1,'account':'a'}]}", ACD_UNKNOWN_FIELD, "y", NULL},
    {C "'profile':{'z':1},'y':1}", ACD_UNKNOWN_FIELD, "profile.z", NULL},
    {CM "'accounts':[{'account':'a','profile':{'q':1},'p':1},'b'],'profile':{'r':1}}", ACD_UNKNOWN_FIELD,
     "accounts[0].profile.q", NULL},
    /* Not judged where no op is known, and outranked by what is missing. */
    {"{'nick':1,'op':'create','app':'demo'}", ACD_MISSING_FIELD, "account", NULL},
    {C "'type':'root','nick':1}", ACD_UNKNOWN_FIELD, "nick", NULL},
};

static const struct row accounts[] = {
    {CM "'accounts':['a','b']}", ACD_OK, "", NULL},
    {CM "'accounts':[]}", ACD_INVALID_FIELD, "accounts", "accounts has 0 entries; it must have 1 to 100"},
    {CM "'accounts':'a'}", ACD_INVALID_FIELD, "accounts", NULL},
    {CM "'accounts':{}}", ACD_INVALID_FIELD, "accounts", NULL},
    {CM "'accounts':['a',5]}", ACD_INVALID_FIELD, "accounts[1]", "accounts[1] is 5"},
    {CM "'accounts':['a',null]}", ACD_INVALID_FIELD, "accounts[1]", NULL},
    {CM "'accounts':['a',['b']]}", ACD_INVALID_FIELD, "accounts[1]", NULL},
    {CM "'accounts':['a','_b']}", ACD_INVALID_FIELD, "accounts[1]", NULL},
    {CM "'accounts':['a','']}", ACD_INVALID_FIELD, "accounts[1]", NULL},
    {CM "'accounts':['_','a','a']}", ACD_INVALID_FIELD, "accounts[0]", NULL},
    {CM "'accounts':['a',{'account':'_b'}]}", ACD_INVALID_FIELD, "accounts[1].account", NULL},
    {CM "'accounts':['a',{}]}", ACD_MISSING_FIELD, "accounts[1].account", NULL},
    {CM "'accounts':['a',{'account':null}]}", ACD_MISSING_FIELD, "accounts[1].account", NULL},
    {CM "'accounts':['a','b','a']}", ACD_INVALID_FIELD, "accounts[2]", "accounts[0] has it already"},
    {CM "'accounts':['a','A']}", ACD_OK, "", NULL},
    {CM "'accounts':['a',{'account':'a'}]}", ACD_INVALID_FIELD, "accounts[1].account", "twice"},
    {CM "'accounts':['a',{'account':'b','type':'root'}]}", ACD_INVALID_FIELD, "accounts[1].type",
     "type is 'root'; it must be general or admin"},
    {CM "'accounts':[{'account':'b','profile':{'role':-1}}]}", ACD_INVALID_FIELD, "accounts[0].profile.role",
     NULL},
    {CM "'accounts':[{'account':'b','profile':[]}]}", ACD_INVALID_FIELD, "accounts[0].profile", NULL},
    {D "'confirm':true,'accounts':[{'account':'b','if_revision':-1}]}", ACD_INVALID_FIELD,
     "accounts[0].if_revision", NULL},
    {CM "'accounts':['b'],'account':'a'}", ACD_INVALID_FIELD, "accounts", "both"},
    {CM "'accounts':['b'],'account':'.a'}", ACD_INVALID_FIELD, "account", NULL},
    {CM "'accounts':['_'],'type':'root'}", ACD_INVALID_FIELD, "accounts[0]", NULL},
    /* Entries in order; within one: account type profile if_revision. */
    {EM "'accounts':[{'if_revision':-1,'profile':5,'type':5,'account':5}]}", ACD_INVALID_FIELD,
     "accounts[0].account", NULL},
    {EM "'accounts':[{'if_revision':-1,'profile':5,'type':5,'account':'a'}]}", ACD_INVALID_FIELD,
     "accounts[0].type", NULL},
    {EM "'accounts':[{'if_revision':-1,'profile':5,'account':'a'},{'account':'.','profile':{}}]}",
     ACD_INVALID_FIELD, "accounts[0].profile", NULL},
    /* Where the profile of an edit comes from. */
    {E "'if_revision':1}", ACD_MISSING_FIELD, "profile", NULL},
    {E "'profile':null}", ACD_MISSING_FIELD, "profile", NULL},
    {E "'profile':{}}", ACD_OK, "", NULL},
    {EM "'accounts':['a',{'account':'b'}]}", ACD_MISSING_FIELD, "profile", NULL},
    {EM "'accounts':[{'account':'b','profile':{}},'a',{'account':'c'}]}", ACD_MISSING_FIELD,
     "accounts[1].profile", NULL},
    {EM "'accounts':[{'account':'b','profile':{}},{'account':'c','profile':null}]}", ACD_MISSING_FIELD,
     "accounts[1].profile", NULL},
    {EM "'accounts':[{'account':'b','profile':{}},'a'],'profile':{}}", ACD_OK, "", NULL},
    {EM "'accounts':[{'profile':{}},{}]}", ACD_MISSING_FIELD, "accounts[0].account", NULL},
    {EM "'accounts':[]}", ACD_MISSING_FIELD, "profile", NULL},
    {"{'op':'edit','app':'demo'}", ACD_MISSING_FIELD, "account", NULL},
};

static const struct row profiles[] = {
    {P "[]}", ACD_INVALID_FIELD, "profile", "profile is an array; it must be a map"},
    {P "{'nickname':'~500','avatar_url':'','gender':null,'signature':'a\\n\\tb'}}", ACD_OK, "", NULL},
    {P "{'nickname':'~501'}}", ACD_INVALID_FIELD, "profile.nickname",
     "nickname is 501 bytes; at most 500 are allowed"},
    {P "{'nickname':5}}", ACD_INVALID_FIELD, "profile.nickname", "nickname is 5; it must be a string"},
    {P "{'nickname':'a\\nb'}}", ACD_INVALID_FIELD, "profile.nickname", "control character"},
    {P "{'nickname':'a\\u0000b'}}", ACD_INVALID_FIELD, "profile.nickname", NULL},
    {P "{'nickname':'a\\u0085b'}}", ACD_INVALID_FIELD, "profile.nickname", NULL},
    {P "{'signature':'a\\rb'}}", ACD_INVALID_FIELD, "profile.signature", "newline and tab"},
    {P "{'signature':'~501'}}", ACD_INVALID_FIELD, "profile.signature", NULL},
    {P "{'location':'~16'}}", ACD_OK, "", NULL},
    {P "{'location':'~17'}}", ACD_INVALID_FIELD, "profile.location", NULL},
    {P "{'avatar_url':'http://a'}}", ACD_OK, "", NULL},
    {P "{'avatar_url':'https://a/b?c#d~'}}", ACD_OK, "", NULL},
    {P "{'avatar_url':'https://'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'http:///x'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'https://?x'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'https://#x'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'HTTP://a'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'httpx://a'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'http://a b'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'http://a\\u00e9'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'http'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':'http://a\\u007f'}}", ACD_INVALID_FIELD, "profile.avatar_url", NULL},
    {P "{'avatar_url':7}}", ACD_INVALID_FIELD, "profile.avatar_url", "avatar_url is 7;"},
    {P "{'avatar_url':'~501'}}", ACD_INVALID_FIELD, "profile.avatar_url", "501 bytes"},
    {P "{'gender':'female'}}", ACD_OK, "", NULL},
    {P "{'gender':'Female'}}", ACD_INVALID_FIELD, "profile.gender",
     "gender is 'Female'; it must be unknown, female or male"},
    {P "{'gender':1}}", ACD_INVALID_FIELD, "profile.gender", NULL},
    {P "{'allow_type':'deny_any','admin_forbid':'send_out'}}", ACD_OK, "", NULL},
    {P "{'allow_type':'deny'}}", ACD_INVALID_FIELD, "profile.allow_type", NULL},
    {P "{'admin_forbid':'none send_out'}}", ACD_INVALID_FIELD, "profile.admin_forbid", NULL},
    {P "{'birthday':'2024-02-29'}}", ACD_OK, "", NULL},
    {P "{'birthday':'0001-01-01'}}", ACD_OK, "", NULL},
    {P "{'birthday':'0000-01-01'}}", ACD_INVALID_FIELD, "profile.birthday", "YYYY-MM-DD"},
    {P "{'birthday':'2023-02-29'}}", ACD_INVALID_FIELD, "profile.birthday", NULL},
    {P "{'birthday':'2023-2-9'}}", ACD_INVALID_FIELD, "profile.birthday", NULL},
    {P "{'birthday':'2023/02/09'}}", ACD_INVALID_FIELD, "profile.birthday", NULL},
    {P "{'birthday':'2023-02/09'}}", ACD_INVALID_FIELD, "profile.birthday", NULL},
    {P "{'birthday':'2023-02-0a'}}", ACD_INVALID_FIELD, "profile.birthday", NULL},
    {P "{'birthday':'+023-02-09'}}", ACD_INVALID_FIELD, "profile.birthday", NULL},
    {P "{'birthday':20230209}}", ACD_INVALID_FIELD, "profile.birthday", NULL},
    {P "{'language':0,'message_settings':4294967295,'level':3.0,'role':''}}", ACD_OK, "", NULL},
    {P "{'language':4294967296}}", ACD_INVALID_FIELD, "profile.language", "from 0 to 4294967295"},
    {P "{'message_settings':-1}}", ACD_INVALID_FIELD, "profile.message_settings", NULL},
    {P "{'level':1.5}}", ACD_INVALID_FIELD, "profile.level", "level is 1.5;"},
    {P "{'level':-1e300}}", ACD_INVALID_FIELD, "profile.level", "level is -1e+300;"},
    {P "{'level':true}}", ACD_INVALID_FIELD, "profile.level", NULL},
    {P "{'role':'5'}}", ACD_INVALID_FIELD, "profile.role", NULL},
    {P "{'role':{}}}", ACD_INVALID_FIELD, "profile.role", "role is a map;"},
    {P "{'custom':{'ab':'~500','Z':null,'abcdefgh':''}}}", ACD_OK, "", NULL},
    {P "{'custom':null}}", ACD_OK, "", NULL},
    {P "{'custom':{}}}", ACD_OK, "", NULL},
    {P "{'custom':[]}}", ACD_INVALID_FIELD, "profile.custom", NULL},
    {P "{'custom':{'a1':'x'}}}", ACD_INVALID_FIELD, "profile.custom.a1", "1 to 8 letters"},
    {P "{'custom':{'':'x'}}}", ACD_INVALID_FIELD, "profile.custom.", NULL},
    {P "{'custom':{'abcdefghi':null}}}", ACD_INVALID_FIELD, "profile.custom.abcdefghi", NULL},
    {P "{'custom':{'a':'~501'}}}", ACD_INVALID_FIELD, "profile.custom.a", NULL},
    {P "{'custom':{'a':5}}}", ACD_INVALID_FIELD, "profile.custom.a", NULL},
    {P "{'custom':{'a':'x\\n'}}}", ACD_INVALID_FIELD, "profile.custom.a", NULL},
    {P "{'custom':{'b':5,'a':5}}}", ACD_INVALID_FIELD, "profile.custom.b", NULL},
    {P "{'custom':{'a':'','b':'','c':'','d':'','e':'','f':'','g':'','h':'','i':'','j':'','k':'','l':'',"
       "'m':'','n':'','o':'','p':'','q':'','r':'','s':'','t':'','u':''}}}",
     ACD_INVALID_FIELD, "profile.custom", "custom has 21 fields; at most 20"},
    /* The table's order, not the message's. */
    {P "{'custom':5,'role':-1,'gender':5,'nickname':5}}", ACD_INVALID_FIELD, "profile.nickname", NULL},
    {P "{'custom':5,'role':-1,'gender':5}}", ACD_INVALID_FIELD, "profile.gender", NULL},
    {P "{'custom':5,'role':-1}}", ACD_INVALID_FIELD, "profile.role", NULL},
};

static const struct row options[] = {
    {C "'type':'admin'}", ACD_OK, "", NULL},
    {C "'type':null}", ACD_OK, "", NULL},
    {C "'type':''}", ACD_INVALID_FIELD, "type", NULL},
    {C "'type':1}", ACD_INVALID_FIELD, "type", NULL},
    {E "'profile':{},'if_revision':0}", ACD_OK, "", NULL},
    {E "'profile':{},'if_revision':3.0}", ACD_OK, "", NULL},
    {E "'profile':{},'if_revision':-1}", ACD_INVALID_FIELD, "if_revision", NULL},
    {E "'profile':{},'if_revision':'1'}", ACD_INVALID_FIELD, "if_revision", NULL},
    {C "'on_exists':'skip'}", ACD_OK, "", NULL},
    {C "'on_exists':'ignore'}", ACD_INVALID_FIELD, "on_exists", "error, update or skip"},
    {C "'dry_run':true}", ACD_OK, "", NULL},
    {C "'dry_run':1}", ACD_INVALID_FIELD, "dry_run", "true or false"},
    {D "'account':'a'}", ACD_OK, "", NULL},
    {D "'account':'a','confirm':false}", ACD_OK, "", NULL},
    {D "'account':'a','confirm':'yes'}", ACD_INVALID_FIELD, "confirm", NULL},
    {D "'accounts':['a']}", ACD_CONFIRMATION_REQUIRED, "confirm", NULL},
    {D "'accounts':['a'],'confirm':false}", ACD_CONFIRMATION_REQUIRED, "confirm", NULL},
    {D "'accounts':['a'],'confirm':true}", ACD_OK, "", NULL},
    {D "'accounts':['_'],'confirm':false}", ACD_INVALID_FIELD, "accounts[0]", NULL},
    {"{'op':'list','app':'demo'}", ACD_OK, "", NULL},
    {L "'limit':1}", ACD_OK, "", NULL},
    {L "'limit':1000.0}", ACD_OK, "", NULL},
    {L "'limit':0}", ACD_INVALID_FIELD, "limit", "limit is 0; it must be an integer from 1 to 1000"},
    {L "'limit':1001}", ACD_INVALID_FIELD, "limit", NULL},
    {L "'after':'nonsense'}", ACD_INVALID_FIELD, "after", NULL},
    {L "'after':7}", ACD_INVALID_FIELD, "after", NULL},
    {L "'after':'MTpi'}", ACD_OK, "", NULL},
    {X "'account':'a'}", ACD_OK, "", NULL},
    {X "'all':true}", ACD_OK, "", NULL},
    {X "'all':false}", ACD_MISSING_FIELD, "account", NULL},
    {X "'all':false,'account':'a'}", ACD_OK, "", NULL},
    {X "'all':true,'account':'a'}", ACD_INVALID_FIELD, "all", NULL},
    {X "'all':true,'accounts':['a']}", ACD_INVALID_FIELD, "all", "one of the three"},
    {X "'all':1}", ACD_INVALID_FIELD, "all", NULL},
    {X "'account':'a','format':'xml'}", ACD_INVALID_FIELD, "format", "ndjson, json, csv or msgpack"},
    {X "'account':'a','compression':'br'}", ACD_INVALID_FIELD, "compression", "none, gzip or zstd"},
    {X "'account':'a','fields':['role','app','custom']}", ACD_OK, "", NULL},
    {X "'account':'a','fields':[]}", ACD_INVALID_FIELD, "fields", NULL},
    {X "'account':'a','fields':'role'}", ACD_INVALID_FIELD, "fields", NULL},
    {X "'account':'a','fields':['role','profile']}", ACD_INVALID_FIELD, "fields[1]", NULL},
    {X "'account':'a','fields':['role',1]}", ACD_INVALID_FIELD, "fields[1]", NULL},
    {X "'account':'a','fields':['role','role']}", ACD_INVALID_FIELD, "fields[1]", "twice"},
    /* Of invalid ones the first in the contract's table. */
    {X "'compression':1,'fields':1,'format':1,'all':1,'id':'','account':1}", ACD_INVALID_FIELD, "id", NULL},
    {X "'compression':1,'fields':1,'format':1,'all':1,'account':1}", ACD_INVALID_FIELD, "account", NULL},
    {X "'compression':1,'fields':1,'format':1,'all':1,'account':'a'}", ACD_INVALID_FIELD, "all", NULL},
    {X "'compression':1,'fields':1,'format':1,'account':'a'}", ACD_INVALID_FIELD, "format", NULL},
    {X "'compression':1,'fields':1,'account':'a'}", ACD_INVALID_FIELD, "fields", NULL},
    {C "'dry_run':1,'on_exists':1,'profile':1,'type':1}", ACD_INVALID_FIELD, "type", NULL},
    {C "'dry_run':1,'on_exists':1,'profile':1}", ACD_INVALID_FIELD, "profile", NULL},
    {D "'account':'a','dry_run':1,'confirm':1,'if_revision':-1}", ACD_INVALID_FIELD, "if_revision", NULL},
    {D "'account':'a','dry_run':1,'confirm':1}", ACD_INVALID_FIELD, "confirm", NULL},
    {L "'after':1,'limit':'x'}", ACD_INVALID_FIELD, "limit", NULL},
};

static void check_row(struct acd_arena *arena, const struct row *row)
{
    struct acd_value message = test_value(arena, row->message);
    struct acd_command command;
    struct acd_refusal refusal = acd_command_read(&message, &open_policy, NULL, arena, &command);

    if (refusal.code != row->code || !acd_slice_is(refusal.field, row->field) ||
        (refusal.code != ACD_OK && refusal.message.len == 0) ||
        (row->says && !strstr(refusal.message.data, row->says)))
        fail_msg("%s\n  answers %s at '%.*s': %.*s\n  not     %s at '%s': %s", row->message,
                 acd_code_text(refusal.code), ACD_SLICE_ARGS(refusal.field), ACD_SLICE_ARGS(refusal.message),
                 acd_code_text(row->code), row->field, row->says ? row->says : "");
}

static void check_rows(const struct row *rows, size_t count)
{
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < count; i++) {
        check_row(&arena, &rows[i]);
        acd_arena_reset(&arena);
    }
    acd_arena_free(&arena);
}

#define TABLE(name)                                                                                          \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        check_rows(name, sizeof(name) / sizeof(name[0]));                                                    \
    }

TABLE(roots)
TABLE(unknown)
TABLE(accounts)
TABLE(profiles)
TABLE(options)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),    cmocka_unit_test(test_unknown), cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_profiles), cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
