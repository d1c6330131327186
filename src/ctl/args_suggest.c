/* The nearest of what there is. */
#include "args_suggest.h"

#include <stdio.h>
#include <string.h>

#include "accountd/nearest.h"
#include "args.h"
#include "terminal.h"

void acd_ctl_args_no_command(const char *word)
{
    struct acd_nearest nearest = acd_nearest_to(word);
    const char *best = NULL;

    for (unsigned i = 0; i < ACD_CTL_COMMAND_COUNT; i++)
        if (acd_nearest_consider(&nearest, acd_ctl_command_names[i]))
            best = acd_ctl_command_names[i];
    if (best)
        acd_ctl_error("%s is no command, did you mean %s? See accountctl --help", word, best);
    else
        acd_ctl_error("%s is no command; see accountctl --help", word);
}

/* The option's name in "--NAME=VALUE". False where it is too long to be like one. */
static bool name_of(const char *word, char *out, size_t bytes)
{
    word += strspn(word, "-");
    return (size_t)snprintf(out, bytes, "%.*s", (int)strcspn(word, "="), word) < bytes;
}

void acd_ctl_args_no_option(const char *word, bool missing, bool known)
{
    struct acd_nearest nearest;
    const char *best = NULL;
    char name[32];

    if (missing) {
        acd_ctl_error("%s: a value is missing; see accountctl --help", word);
        return;
    }
    if (!name_of(word, name, sizeof(name)))
        name[0] = '\0';
    if (known) {
        acd_ctl_error("--%s takes no value; see accountctl --help", name);
        return;
    }
    nearest = acd_nearest_to(name);
    for (size_t i = 0; name[0] && name[1] && i < acd_ctl_option_count; i++)
        if (acd_nearest_consider(&nearest, acd_ctl_options[i].name))
            best = acd_ctl_options[i].name;
    /* A value may be a secret, and is not shown. */
    if (best)
        acd_ctl_error("--%s is no option, did you mean --%s? See accountctl --help", name, best);
    else if (strncmp(word, "--", 2) == 0)
        acd_ctl_error("--%s is no option; see accountctl --help", name);
    else
        acd_ctl_error("%.2s is no option; see accountctl --help", word);
}
