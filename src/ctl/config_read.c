/* One table of names, for the file and the environment. */
#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "accountd/nearest.h"
#include "accountd/secret.h"
#include "config.h"
#include "terminal.h"

#define NAME   "accountctl.conf"
#define PREFIX "ACCOUNTCTL_"

/* Texts are at the offset of a char *, lists at that of struct acd_strings. */
static const struct entry {
    const char *name;
    bool list;
    size_t offset;
} entries[] = {
    {"brokers", false, offsetof(struct acd_ctl_choice, brokers)},
    {"app", false, offsetof(struct acd_ctl_choice, app)},
    {"key", false, offsetof(struct acd_ctl_choice, key)},
    {"config", false, offsetof(struct acd_ctl_choice, config)},
    {"properties", true, offsetof(struct acd_ctl_choice, properties)},
    {"metrics", true, offsetof(struct acd_ctl_choice, metrics)},
};

#define ENTRY_COUNT (sizeof(entries) / sizeof(entries[0]))

/* Where a mistake is; line 0: in a variable. */
struct place {
    const char *name;
    int line;
};

static void complain(struct place place, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct place place, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (place.line)
        acd_ctl_error("%s:%d: %s", place.name, place.line, message);
    else
        acd_ctl_error("%s: %s", place.name, message);
}

bool acd_ctl_config_name(char *out, size_t bytes)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int len = -1;

    /* The XDG specification: what is no absolute path is not meant. */
    if (base && *base == '/')
        len = snprintf(out, bytes, "%s/" NAME, base);
    else if (home && *home == '/')
        len = snprintf(out, bytes, "%s/.config/" NAME, home);
    return len > 0 && (size_t)len < bytes;
}

static bool add(struct acd_strings *list, const char *text, size_t len)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

    if (!items)
        return false;
    list->items = items;
    items[list->count] = strndup(text, len);
    return items[list->count] && ++list->count;
}

/* A file or a variable may name the file of a secret, as the command line may. A value is not shown. */
static bool check_property(struct place place, const char *text)
{
    int name = (int)strcspn(text, "=");

    if (!text[name] || name == 0)
        complain(place, "properties are written as \"NAME=VALUE\"");
    else if (acd_property_tells_secret(text))
        complain(place, "%.*s is a secret: write it to a file, and \"%.*s_file=/path\" here", name, text,
                 name, text);
    else
        return true;
    return false;
}

static bool take(struct acd_ctl_choice *choice, const struct entry *entry, struct place place,
                 const char *text, size_t len)
{
    char *copy = strndup(text, len);
    void *at = (char *)choice + entry->offset;
    bool ok = copy != NULL;

    if (!copy)
        complain(place, "out of memory");
    else if (!entry->list) {
        free(*(char **)at);
        *(char **)at = copy;
        return true;
    } else {
        ok = strcmp(entry->name, "properties") != 0 || check_property(place, copy);
        ok = ok && add(at, copy, len);
    }
    free(copy);
    return ok;
}

static bool take_list(struct acd_ctl_choice *choice, const struct entry *entry, struct place place,
                      const config_setting_t *list)
{
    bool ok = list && (config_setting_is_array(list) || config_setting_is_list(list));

    for (int i = 0; ok && i < config_setting_length(list); i++) {
        const char *item = config_setting_get_string_elem(list, i);

        ok = item && *item;
        if (ok && !take(choice, entry, place, item, strlen(item)))
            return false;
    }
    if (!ok)
        complain(place, "%s must be a list of strings: [ \"a\", \"b\" ]", entry->name);
    return ok;
}

static bool read_entry(struct acd_ctl_choice *choice, const char *file, const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    struct place place = {file, (int)config_setting_source_line(setting)};
    struct acd_nearest nearest = acd_nearest_to(name);
    const char *best = NULL;

    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        const char *text = config_setting_get_string(setting);

        if (acd_nearest_consider(&nearest, entries[i].name))
            best = entries[i].name;
        if (strcmp(entries[i].name, name) != 0)
            continue;
        if (entries[i].list)
            return take_list(choice, &entries[i], place, setting);
        if (text)
            return take(choice, &entries[i], place, text, strlen(text));
        complain(place, "%s must be text in double quotes", name);
        return false;
    }
    if (best)
        complain(place, "unknown setting %s, did you mean %s?", name, best);
    else
        complain(place, "unknown setting %s", name);
    return false;
}

enum acd_ctl_exit acd_ctl_choice_read(struct acd_ctl_choice *out, const char *file)
{
    FILE *in = fopen(file, "re");
    struct stat there;
    config_t tree;
    bool ok;

    *out = (struct acd_ctl_choice){0};
    if (!in && (errno == ENOENT || errno == ENOTDIR))
        return ACD_CTL_OK;
    /* libconfig ends the process when it cannot read. */
    if (in && (fstat(fileno(in), &there) || S_ISDIR(there.st_mode))) {
        (void)fclose(in);
        in = NULL;
        errno = EISDIR;
    }
    if (!in) {
        acd_ctl_error("%s: %s", file, strerror(errno));
        return ACD_CTL_USAGE;
    }
    config_init(&tree);
    ok = config_read(&tree, in) == CONFIG_TRUE;
    if (!ok)
        complain((struct place){file, config_error_line(&tree)}, "%s", config_error_text(&tree));
    /* All mistakes are told at once. */
    for (int i = 0; i < config_setting_length(config_root_setting(&tree)); i++)
        ok = read_entry(out, file, config_setting_get_elem(config_root_setting(&tree), (unsigned)i)) && ok;
    config_destroy(&tree);
    (void)fclose(in);
    return ok ? ACD_CTL_OK : ACD_CTL_USAGE;
}

/* As in a file, for items that hold a comma: [ "debug=broker,topic", "b=c" ]. */
static bool take_bracketed(struct acd_ctl_choice *choice, const struct entry *entry, struct place place,
                           const char *text)
{
    config_t tree;
    char *line = NULL;
    bool ok = false;

    config_init(&tree);
    if (asprintf(&line, "list = %s;", text) >= 0) {
        bool read = config_read_string(&tree, line) && config_setting_length(config_root_setting(&tree)) == 1;

        ok = take_list(choice, entry, place, read ? config_lookup(&tree, "list") : NULL);
        free(line);
    }
    config_destroy(&tree);
    return ok;
}

static bool read_variable(struct acd_ctl_choice *choice, const struct entry *entry, const char *variable,
                          const char *text)
{
    struct place place = {variable, 0};
    bool ok = true;

    if (!entry->list)
        return take(choice, entry, place, text, strlen(text));
    if (*text == '[')
        return take_bracketed(choice, entry, place, text);
    while (ok && *(text += strspn(text, ", "))) {
        size_t len = strcspn(text, ",");

        ok = take(choice, entry, place, text, len);
        text += len;
    }
    return ok;
}

enum acd_ctl_exit acd_ctl_choice_environment(struct acd_ctl_choice *out)
{
    bool ok = true;

    *out = (struct acd_ctl_choice){0};
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        char variable[64];
        const char *text;

        (void)snprintf(variable, sizeof(variable), PREFIX "%s", entries[i].name);
        for (char *at = variable; *at; at++)
            *at = (char)toupper((unsigned char)*at);
        text = getenv(variable);
        ok = (!text || read_variable(out, &entries[i], variable, text)) && ok;
    }
    return ok ? ACD_CTL_OK : ACD_CTL_USAGE;
}

static void free_strings(struct acd_strings *strings)
{
    for (uint32_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
}

void acd_ctl_choice_free(struct acd_ctl_choice *choice)
{
    free(choice->brokers);
    free(choice->app);
    free(choice->key);
    free(choice->config);
    free_strings(&choice->properties);
    free_strings(&choice->metrics);
    *choice = (struct acd_ctl_choice){0};
}
