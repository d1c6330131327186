/* Reading a file over the defaults: a walk over libconfig's tree, which takes unknown names and wrong types
 * without a word. All mistakes are said in one go. */
#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "settings_table.h"

#define MESSAGE_BYTES 512

/* Where a setting was read; line 0: it was not. */
struct place {
    const char *file;
    unsigned line;
};

struct reading {
    struct acd_settings *settings;
    const char *file;
    FILE *errors;
    bool failed;
    struct place places[ACD_SETTING_COUNT];
};

static struct place place_of(const struct reading *reading, const config_setting_t *at)
{
    const char *file = config_setting_source_file(at); /* known for included files only */

    return (struct place){file ? file : reading->file, config_setting_source_line(at)};
}

static void complain(struct reading *reading, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct reading *reading, struct place place, const char *format, ...)
{
    va_list args;

    reading->failed = true;
    fprintf(reading->errors, "%s:%u: ", place.file, place.line);
    va_start(args, format);
    vfprintf(reading->errors, format, args);
    va_end(args);
    putc('\n', reading->errors);
}

static const char *type_text(const config_setting_t *at)
{
    switch (config_setting_type(at)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "an integer";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_BOOL:
        return "a boolean";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_GROUP:
        return "a group";
    default:
        return "a list";
    }
}

/* "group.name", or the name of a setting that stands at the top. */
static const char *path_of(const struct acd_setting *setting, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "%s%s%s", setting->group, setting->group[0] ? "." : "", setting->name);
    return out;
}

static void take_int(struct reading *reading, const struct acd_setting *setting, const config_setting_t *at,
                     const char *path)
{
    int type = config_setting_type(at);
    long long value = config_setting_get_int64(at);

    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        complain(reading, place_of(reading, at), "%s must be an integer from %lld to %lld, not %s", path,
                 (long long)setting->min, (long long)setting->max, type_text(at));
    else if (value < setting->min || value > setting->max)
        complain(reading, place_of(reading, at), "%s must be from %lld to %lld, not %lld", path,
                 (long long)setting->min, (long long)setting->max, value);
    else
        *(int64_t *)acd_setting_place(setting, reading->settings) = value;
}

/* What a string setting and an item of a list have in common. */
static bool check_text(struct reading *reading, const struct acd_setting *setting, const config_setting_t *at,
                       const char *path, const char *text)
{
    char message[MESSAGE_BYTES];

    if (strlen(text) < (size_t)setting->min) {
        complain(reading, place_of(reading, at), "%s must not %s", path,
                 setting->kind == ACD_SETTING_LIST ? "hold an empty string" : "be empty");
        return false;
    }
    if (strlen(text) > (size_t)setting->max) {
        complain(reading, place_of(reading, at), "%s: '%.40s…' is longer than %lld bytes", path, text,
                 (long long)setting->max);
        return false;
    }
    if (setting->check && !setting->check(text, message, sizeof(message))) {
        complain(reading, place_of(reading, at), "%s: %s", path, message);
        return false;
    }
    return true;
}

static void take_string(struct reading *reading, const struct acd_setting *setting,
                        const config_setting_t *at, const char *path)
{
    const char *text = config_setting_get_string(at);
    char **place = acd_setting_place(setting, reading->settings);
    char *copy;

    if (!text) {
        complain(reading, place_of(reading, at), "%s must be a string (in double quotes), not %s", path,
                 type_text(at));
        return;
    }
    if (!check_text(reading, setting, at, path, text))
        return;
    copy = strdup(text);
    if (!copy) {
        complain(reading, place_of(reading, at), "%s: out of memory", path);
        return;
    }
    free(*place);
    *place = copy;
}

static void take_list(struct reading *reading, const struct acd_setting *setting, const config_setting_t *at,
                      const char *path)
{
    struct acd_strings *list = acd_setting_place(setting, reading->settings);
    int count = config_setting_length(at);

    if (!config_setting_is_array(at) && !config_setting_is_list(at)) {
        complain(reading, place_of(reading, at), "%s must be a list of strings, as [ \"a\", \"b\" ], not %s",
                 path, type_text(at));
        return;
    }
    list->items = calloc((size_t)count + 1, sizeof(*list->items));
    for (int i = 0; i < count; i++) {
        const config_setting_t *item = config_setting_get_elem(at, (unsigned)i);
        const char *text = config_setting_get_string(item);
        char *copy;

        if (!text) {
            complain(reading, place_of(reading, item), "%s must hold strings (in double quotes), not %s",
                     path, type_text(item));
            continue;
        }
        if (!check_text(reading, setting, item, path, text))
            continue;
        copy = list->items ? strdup(text) : NULL;
        if (!copy) {
            complain(reading, place_of(reading, item), "%s: out of memory", path);
            return;
        }
        list->items[list->count++] = copy;
    }
}

static void take(struct reading *reading, size_t index, const config_setting_t *at)
{
    const struct acd_setting *setting = &acd_setting_table[index];
    char path[64];

    path_of(setting, path, sizeof(path));
    reading->places[index] = place_of(reading, at);
    if (setting->kind == ACD_SETTING_INT)
        take_int(reading, setting, at, path);
    if (setting->kind == ACD_SETTING_STRING)
        take_string(reading, setting, at, path);
    if (setting->kind == ACD_SETTING_LIST)
        take_list(reading, setting, at, path);
}

static void take_member(struct reading *reading, const char *group, const config_setting_t *at)
{
    const char *name = config_setting_name(at);
    const char *dot = group[0] ? "." : "";
    char nearest[64];

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (strcmp(acd_setting_table[i].group, group) == 0 && strcmp(acd_setting_table[i].name, name) == 0) {
            take(reading, i, at);
            return;
        }
    if (acd_setting_suggest(group, name, nearest, sizeof(nearest)))
        complain(reading, place_of(reading, at), "unknown setting '%s%s%s', did you mean '%s'?", group, dot,
                 name, nearest);
    else
        complain(reading, place_of(reading, at), "unknown setting '%s%s%s'", group, dot, name);
}

/* The table's own text of a group's name, or NULL. */
static const char *find_group(const char *name)
{
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (acd_setting_table[i].group[0] && strcmp(acd_setting_table[i].group, name) == 0)
            return acd_setting_table[i].group;
    return NULL;
}

static void take_tree(struct reading *reading, const config_setting_t *root)
{
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *at = config_setting_get_elem(root, (unsigned)i);
        const char *group = find_group(config_setting_name(at));

        if (!group)
            take_member(reading, "", at);
        else if (!config_setting_is_group(at))
            complain(reading, place_of(reading, at), "%s must be a group, as %s: { … };, not %s", group,
                     group, type_text(at));
        else
            for (int j = 0; j < config_setting_length(at); j++)
                take_member(reading, group, config_setting_get_elem(at, (unsigned)j));
    }
}

static const char *topic_of(const struct reading *reading, size_t index)
{
    const struct acd_setting *setting = &acd_setting_table[index];

    return setting->check == acd_check_topic ? *(char **)acd_setting_place(setting, reading->settings) : NULL;
}

/* Two jobs on one topic would read each other's messages. Of two alike one was read from the file, since the
 * defaults differ. */
static void check_topics_differ(struct reading *reading)
{
    char path[64];

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        for (size_t j = 0; j < i; j++) {
            bool later = reading->places[i].line != 0;

            if (!topic_of(reading, i) || !topic_of(reading, j) ||
                strcmp(topic_of(reading, i), topic_of(reading, j)) != 0)
                continue;
            complain(reading, reading->places[later ? i : j], "kafka.%s: '%s' is %s already",
                     acd_setting_table[later ? i : j].name, topic_of(reading, i),
                     path_of(&acd_setting_table[later ? j : i], path, sizeof(path)));
        }
}

/* A reply on one of the other own topics would be taken for what that topic holds. */
static void check_reply_topics(struct reading *reading)
{
    const struct acd_strings *allowed = &reading->settings->kafka.reply_topics;
    struct place place = {0};

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (acd_setting_table[i].check == acd_check_reply_topic)
            place = reading->places[i];
    for (uint32_t i = 0; i < allowed->count; i++)
        for (size_t j = 0; j < ACD_SETTING_COUNT; j++)
            if (topic_of(reading, j) && strcmp(acd_setting_table[j].name, "replies") != 0 &&
                strcmp(allowed->items[i], topic_of(reading, j)) == 0)
                complain(reading, place, "kafka.reply_topics: '%s' is kafka.%s and never takes replies",
                         allowed->items[i], acd_setting_table[j].name);
}

/* A directory would make libconfig's scanner end the process. */
static FILE *open_file(const char *file)
{
    FILE *stream = fopen(file, "re");
    struct stat status;

    if (stream && fstat(fileno(stream), &status) == 0 && S_ISDIR(status.st_mode)) {
        fclose(stream);
        errno = EISDIR;
        return NULL;
    }
    return stream;
}

int acd_settings_read(struct acd_settings *settings, const char *file, FILE *errors)
{
    struct reading reading = {.settings = settings, .file = file, .errors = errors};
    FILE *stream = open_file(file);
    config_t config;

    if (!stream) {
        fprintf(errors, "%s: cannot be read: %s\n", file, strerror(errno));
        return -1;
    }
    config_init(&config);
    if (config_read(&config, stream)) {
        take_tree(&reading, config_root_setting(&config));
        check_topics_differ(&reading);
        check_reply_topics(&reading);
    } else {
        struct place place = {config_error_file(&config) ? config_error_file(&config) : file,
                              (unsigned)config_error_line(&config)};

        complain(&reading, place, "%s", config_error_text(&config));
    }
    config_destroy(&config);
    fclose(stream);
    return reading.failed ? -1 : 0;
}
