/* Usage, man page and completions, held against the table of options: each option is in the part of its
 * commands, and in no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/ctl/args.h"
#include "../../src/ctl/usage.h"
#include "support.h"

#define EVERY ((1u << ACD_CTL_COMMAND_COUNT) - 1)

/* Options by the bits of their place in the table. */
static uint64_t bit(const char *name, size_t len)
{
    for (size_t i = 0; i < acd_ctl_option_count; i++)
        if (strlen(acd_ctl_options[i].name) == len && memcmp(acd_ctl_options[i].name, name, len) == 0)
            return UINT64_C(1) << i;
    fail_msg("--%.*s is no option of the table", (int)len, name);
    return 0;
}

/* The options that a text names as --NAME. */
static uint64_t named_in(const char *text)
{
    uint64_t found = 0;

    while ((text = strstr(text, "--"))) {
        size_t len = strspn(text + 2, "abcdefghijklmnopqrstuvwxyz-");

        if (len)
            found |= bit(text + 2, len);
        text += 2 + len;
    }
    return found;
}

static uint64_t common(void)
{
    uint64_t set = 0;

    for (size_t i = 0; i < acd_ctl_option_count; i++)
        if (acd_ctl_options[i].commands == EVERY)
            set |= UINT64_C(1) << i;
    return set;
}

static uint64_t own(unsigned command)
{
    uint64_t set = 0;

    for (size_t i = 0; i < acd_ctl_option_count; i++)
        if (acd_ctl_options[i].commands & 1u << command)
            set |= UINT64_C(1) << i;
    return set & ~common();
}

static void compare(const char *where, const char *what, uint64_t found, uint64_t wanted)
{
    for (size_t i = 0; i < acd_ctl_option_count; i++) {
        uint64_t one = UINT64_C(1) << i;

        if ((found & one) != (wanted & one))
            fail_msg("%s, %s: --%s is %s", where, what, acd_ctl_options[i].name,
                     found & one ? "one too many" : "missing");
    }
}

/* The text from behind `from` up to `to`, or to the end. The caller frees it. */
static char *part(const char *text, const char *from, const char *to)
{
    const char *begin = strstr(text, from);
    const char *end;

    if (!begin)
        fail_msg("%s is missing", from);
    begin += strlen(from);
    end = strstr(begin, to);
    return end ? strndup(begin, (size_t)(end - begin)) : strdup(begin);
}

static char *usage_of(enum acd_ctl_command command)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    acd_ctl_usage(out, command);
    fclose(out);
    return text;
}

static void test_usage(void **state)
{
    char *text = usage_of(ACD_CTL_COMMAND_COUNT);

    compare("usage", "all commands", named_in(text), common());
    for (unsigned i = 0; i < ACD_CTL_COMMAND_COUNT; i++) {
        char line[32];

        (void)snprintf(line, sizeof(line), "\n  %-8s ", acd_ctl_command_names[i]);
        if (!strstr(text, line))
            fail_msg("usage: no line of %s", acd_ctl_command_names[i]);
    }
    free(text);
    for (unsigned i = 0; i < ACD_CTL_COMMAND_COUNT; i++) {
        text = usage_of(i);
        compare("usage", acd_ctl_command_names[i], named_in(text) & ~common(), own(i));
        free(text);
    }
}

static void test_man_page(void **state)
{
    char *page = test_read_whole(ACD_SOURCE_DIR "/docs/man/accountctl.1.scd");
    char *text = part(page, "# OPTIONS OF ALL COMMANDS\n", "\n# ");

    compare("man page", "all commands", named_in(text) & common(), common());
    free(text);
    for (unsigned i = 0; i < ACD_CTL_COMMAND_COUNT; i++) {
        char title[64];

        (void)snprintf(title, sizeof(title), "\n# accountctl %s", acd_ctl_command_names[i]);
        text = part(page, title, "\n# ");
        compare("man page", acd_ctl_command_names[i], named_in(text) & ~common(), own(i));
        free(text);
        (void)snprintf(title, sizeof(title), "\n*%s*\n", acd_ctl_command_names[i]);
        free(part(page, title, "\n"));
    }
    free(page);
}

/* The branch of a command in a completion's `case`. */
static char *branch(const char *script, const char *command)
{
    char label[64];

    (void)snprintf(label, sizeof(label), "\n        %s)", command);
    return part(script, label, ";;");
}

static void test_bash(void **state)
{
    char *script = test_read_whole(ACD_SOURCE_DIR "/src/ctl/completions/accountctl.bash");
    char *text = part(script, "local options='", "'");

    compare("bash", "all commands", named_in(text), common());
    free(text);
    text = part(script, "local commands='", "'");
    for (unsigned i = 0; i < ACD_CTL_COMMAND_COUNT; i++) {
        if (!strstr(text, acd_ctl_command_names[i]))
            fail_msg("bash: %s is missing", acd_ctl_command_names[i]);
        if (own(i)) {
            char *options = branch(script, acd_ctl_command_names[i]);

            compare("bash", acd_ctl_command_names[i], named_in(options), own(i));
            free(options);
        }
    }
    free(text);
    free(script);
}

static void test_zsh(void **state)
{
    /* Options that several commands share are kept in arrays. */
    static const char *const arrays[] = {"type", "dry_run", "revision"};
    char *script = test_read_whole(ACD_SOURCE_DIR "/src/ctl/completions/_accountctl");
    char *text = part(script, "\n    common=(", "\n    )");

    compare("zsh", "all commands", named_in(text), common());
    free(text);
    text = part(script, "\n    commands=(", "\n    )");
    for (unsigned i = 0; i < ACD_CTL_COMMAND_COUNT; i++) {
        char *options = branch(script, acd_ctl_command_names[i]);
        uint64_t found = named_in(options);

        for (size_t j = 0; j < sizeof(arrays) / sizeof(arrays[0]); j++) {
            char name[32];
            char *array;

            (void)snprintf(name, sizeof(name), "$%s ", arrays[j]);
            if (!strstr(options, name))
                continue;
            (void)snprintf(name, sizeof(name), "\n    %s=(", arrays[j]);
            array = part(script, name, "\n");
            found |= named_in(array);
            free(array);
        }
        compare("zsh", acd_ctl_command_names[i], found, own(i));
        free(options);
        if (!strstr(text, acd_ctl_command_names[i]))
            fail_msg("zsh: %s is missing", acd_ctl_command_names[i]);
    }
    free(text);
    free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_bash),
        cmocka_unit_test(test_zsh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
