/* accountctl's command lines, and the commands that they become. */
#include "../../src/ctl/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 128

/* Cuts `line` at its blanks; returns how many words there are. */
static int split(char *line, char *words[WORDS_MAX])
{
    int count = 0;

    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < WORDS_MAX - 1);
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

/* The command of a line as JSON, or NULL when the line is refused. The caller frees it. */
static char *command_of(const char *line)
{
    char *words[WORDS_MAX];
    char *copy = strdup(line);
    struct acd_ctl_args args;
    char *text = NULL;

    assert_non_null(copy);
    if (acd_ctl_args_read(&args, split(copy, words), words) == ACD_CTL_OK &&
        acd_ctl_request_check(&args) == ACD_CTL_OK) {
        json_t *request = acd_ctl_request_build(&args, args.after);

        text = json_dumps(request, JSON_COMPACT);
        json_decref(request);
    }
    acd_ctl_args_free(&args);
    free(copy);
    return text;
}

static void test_commands(void **state)
{
    /* In the JSON, ' stands for ". */
    static const struct {
        const char *line;
        const char *json;
    } table[] = {
        {"create alice", "{'v':1,'op':'create','app':'demo','account':'alice'}"},
        {"create a b --type admin --on-exists skip --dry-run",
         "{'v':1,'op':'create','app':'demo','accounts':['a','b'],'type':'admin','on_exists':'skip',"
         "'dry_run':true}"},
        {"--set nickname=Al=bert create --set level=7 a --custom city=Berlin --set language=",
         "{'v':1,'op':'create','app':'demo','account':'a','profile':{'nickname':'Al=bert','level':7,"
         "'language':'','custom':{'city':'Berlin'}}}"},
        /* Numbers only where the field is one, and what is none goes to the daemon as it is. */
        {"create a --set nickname=7 --set level=-1 --set role=x --set other=7 --custom level=7",
         "{'v':1,'op':'create','app':'demo','account':'a','profile':{'nickname':'7','level':-1,'role':'x',"
         "'other':'7','custom':{'level':'7'}}}"},
        {"edit a --unset gender --unset custom --if-revision 0",
         "{'v':1,'op':'edit','app':'demo','account':'a','profile':{'gender':null,'custom':null},"
         "'if_revision':0}"},
        {"edit a --unset-custom x --custom y=1",
         "{'v':1,'op':'edit','app':'demo','account':'a','profile':{'custom':{'x':null,'y':'1'}}}"},
        {"edit a --type general",
         "{'v':1,'op':'edit','app':'demo','account':'a','type':'general','profile':{}}"},
        {"delete a", "{'v':1,'op':'delete','app':'demo','account':'a'}"},
        {"delete a b --confirm", "{'v':1,'op':'delete','app':'demo','accounts':['a','b'],'confirm':true}"},
        {"get a b", "{'v':1,'op':'get','app':'demo','accounts':['a','b']}"},
        {"list", "{'v':1,'op':'list','app':'demo'}"},
        {"list --limit 5 --after x", "{'v':1,'op':'list','app':'demo','limit':5,'after':'x'}"},
        {"list --all", "{'v':1,'op':'list','app':'demo','limit':1000}"},
        {"export a --format csv --compression gzip --fields account,nickname -o f",
         "{'v':1,'op':'export','app':'demo','account':'a','format':'csv','fields':['account','nickname'],"
         "'compression':'gzip'}"},
        {"get -- a", "{'v':1,'op':'get','app':'demo','account':'a'}"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char line[256];
        char *json;

        (void)snprintf(line, sizeof(line), "accountctl --app demo %s", table[i].line);
        json = command_of(line);
        if (!json)
            fail_msg("refused: %s", table[i].line);
        for (char *quote = strchr(json, '"'); quote; quote = strchr(quote, '"'))
            *quote = '\'';
        assert_string_equal(json, table[i].json);
        free(json);
    }
}

static void test_refusals(void **state)
{
    static const char *const table[] = {
        "accountctl",
        "accountctl --app demo",
        "accountctl --app demo make a",
        "accountctl get a",
        "accountctl --app demo get",
        "accountctl --app demo list a",
        "accountctl --app demo get a --limit 3",
        "accountctl --app demo list --limit 0",
        "accountctl --app demo list --limit 3x",
        "accountctl --app demo list --all --after x",
        "accountctl --app demo edit a",
        "accountctl --app demo edit a --if-revision -1",
        "accountctl --app demo edit a --set level",
        "accountctl --app demo edit a --set =7",
        "accountctl --app demo edit a --set custom=7",
        "accountctl --app demo edit a --unset level=7",
        "accountctl --app demo edit a --unset custom --custom x=y",
        "accountctl --app demo create a --unset level",
        "accountctl --app demo create a --timeout 0",
        "accountctl --app demo create a --timeout nan",
        "accountctl --app demo create a --timeout 1s",
        "accountctl --app demo create a --nonsense",
        "accountctl --app demo create a\xff",
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char *json = command_of(table[i]);

        if (json)
            fail_msg("not refused: %s", table[i]);
    }
}

static void test_accounts_max(void **state)
{
    char line[1024] = "accountctl --app demo get";
    char *json;

    for (int i = 0; i < ACD_CTL_ACCOUNTS_MAX; i++)
        (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), " a%d", i);
    json = command_of(line);
    assert_non_null(json);
    free(json);
    (void)strcat(line, " more");
    assert_null(command_of(line));
}

static void test_secrets_of_the_command_line(void **state)
{
    static const struct {
        const char *line;
        enum acd_ctl_exit result;
    } table[] = {
        {"accountctl get a -X sasl.password=hush", ACD_CTL_USAGE},
        {"accountctl get a -Xsasl.password=", ACD_CTL_USAGE},
        {"accountctl get a --property=ssl.key.password=hush", ACD_CTL_USAGE},
        {"accountctl get a -X sasl.oauthbearer.client.secret=hush", ACD_CTL_USAGE},
        {"accountctl get a -X sasl.password_file=/etc/password", ACD_CTL_OK},
        {"accountctl get a -X security.protocol=ssl -X linger.ms=0", ACD_CTL_OK},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        char *words[WORDS_MAX];
        char *copy = strdup(table[i].line);
        struct acd_ctl_args args;

        assert_non_null(copy);
        print_message("%s\n", copy);
        assert_int_equal(acd_ctl_args_read(&args, split(copy, words), words), table[i].result);
        acd_ctl_args_free(&args);
        free(copy);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_secrets_of_the_command_line),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_accounts_max),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
