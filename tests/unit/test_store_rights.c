/* --check-config --connect asks for the right to do each command that accountd sends or its functions run:
 * the list in src/store/examine.c leaves none out. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define STORE ACD_SOURCE_DIR "/src/store/"

/* Every word in capitals that follows `before` and is ended by `quote` must be in the list. Returns how many.
 */
static unsigned check_words(const char *path, const char *before, char quote)
{
    char *list = test_read_whole(STORE "examine.c");
    char *text = test_read_whole(path);
    unsigned found = 0;

    for (const char *at = text; (at = strstr(at, before)); found++) {
        char entry[64];
        size_t len = 0;

        at += strlen(before);
        while (isupper((unsigned char)at[len]) || at[len] == '_')
            len++;
        if (len == 0 || at[len] != quote) {
            found--;
            continue;
        }
        snprintf(entry, sizeof(entry), "{{\"%.*s\"", (int)len, at);
        if (!strstr(list, entry))
            fail_msg("%s uses %.*s, and src/store/examine.c does not ask for the right to it", path, (int)len,
                     at);
    }
    free(text);
    free(list);
    return found;
}

static void test_functions(void **state)
{
    assert_true(check_words(STORE "commit.lua", "call('", '\'') > 20);
    assert_true(check_words(STORE "commit.lua", "in_chunks('", '\'') > 2);
}

static void test_commands(void **state)
{
    assert_int_equal(check_words(STORE "load.c", "acd_args_str(&deleted, \"", '"'), 1);
    assert_int_equal(check_words(STORE "load.c", "send_one(store, arena, \"", '"'), 2);
    assert_int_equal(check_words(STORE "pages.c", "acd_args_str(&args, \"", '"'), 1);
    assert_int_equal(check_words(STORE "commit.c", "acd_args_str(&args, \"", '"'), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_functions), cmocka_unit_test(test_commands)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
