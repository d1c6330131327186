/* The settings, read again. */
#include "reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/log.h"
#include "accountd/metrics.h"

/* Names, separated by commas, as far as there is room. */
struct names {
    char text[1024];
    size_t len;
};

struct changes {
    struct names live;
    struct names later;
};

static void add_name(struct names *names, const char *path)
{
    if (names->len + strlen(path) + 3 > sizeof(names->text))
        return;
    names->len += (size_t)snprintf(names->text + names->len, sizeof(names->text) - names->len, "%s%s",
                                   names->len ? ", " : "", path);
}

static void note(void *context, const char *path, bool live)
{
    struct changes *changes = context;

    add_name(live ? &changes->live : &changes->later, path);
}

static void log_lines(char *text)
{
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n")))
        if (*line)
            acd_log(ACD_LOG_ERROR, "%s", line);
}

/* Returns 0, or -1 after saying why; the settings are to be freed in either case. */
static int read_again(const char *file, struct acd_settings *settings)
{
    char *text = NULL;
    size_t len = 0;
    FILE *errors = open_memstream(&text, &len);
    int result = acd_settings_default(settings);

    if (errors && result == 0)
        result = acd_settings_read(settings, file, environ, errors);
    if (errors)
        fclose(errors);
    if (text)
        log_lines(text);
    free(text);
    return errors ? result : -1;
}

/* The secrets are read again, whether or not the settings name other files. Returns 0, or -1 after saying
 * why. */
static int read_keys(const struct acd_reload *reload, const struct acd_settings *settings,
                     struct acd_keyring **keyring, struct changes *changes)
{
    char error[1024];

    if (acd_keyring_open(settings, keyring, error, sizeof(error))) {
        acd_log(ACD_LOG_ERROR, "auth.keys: %s", error);
        return -1;
    }
    if (!acd_keyring_same(*keyring, reload->book->present->keyring) &&
        !strstr(changes->live.text, "auth.keys"))
        add_name(&changes->live, "the secrets of auth.keys");
    return 0;
}

/* Puts rules of the settings into the book, which are empty then. The keyring is the rules'. */
static int put(const struct acd_reload *reload, struct acd_settings *settings, struct acd_keyring **keyring)
{
    struct acd_rules *rules = acd_rules_take_over(settings);
    enum acd_log_level level;

    if (!rules)
        return -1;
    acd_rules_keys(rules, *keyring);
    *keyring = NULL;
    if (reload->own && acd_rules_route(rules, reload->own, reload->topics)) {
        acd_rules_free(rules);
        return -1;
    }
    if (acd_log_level_parse(rules->settings->log.level, &level))
        acd_log_level(level);
    acd_rulebook_put(reload->book, rules);
    return 0;
}

void acd_reload(const struct acd_reload *reload)
{
    struct changes changes = {0};
    struct acd_settings settings;
    struct acd_keyring *keyring = NULL;
    int result = read_again(reload->file, &settings);

    /* Only this thread replaces the present rules. */
    if (result == 0)
        result = acd_settings_follow(&settings, reload->book->present->settings, note, &changes);
    if (result == 0)
        result = read_keys(reload, &settings, &keyring, &changes);
    if (result == 0 && changes.live.len)
        result = put(reload, &settings, &keyring);
    acd_metric_add(result ? ACD_METRIC_RELOAD_REFUSED : ACD_METRIC_RELOADED, 1);
    if (result)
        acd_log(ACD_LOG_ERROR, "settings: not reloaded; they stay as they were");
    else
        acd_log(ACD_LOG_INFO, "settings: reloaded; changed: %s",
                changes.live.len ? changes.live.text : "nothing");
    if (result == 0 && changes.later.len)
        acd_log(ACD_LOG_WARNING, "settings: these need a restart, and stay as they were: %s",
                changes.later.text);
    acd_keyring_free(keyring);
    acd_settings_free(&settings);
}
