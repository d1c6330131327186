/* Reading a file over the defaults: a walk over libconfig's tree, which takes unknown names and wrong types
 * without a word. All mistakes are said in one go. */
#include <errno.h>
#include <libconfig.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "settings_reading.h"

/* Files within files, by libconfig. */
#define INCLUDES_MAX 10

/* A tree, and the file that it is of. */
struct source {
    struct acd_reading *reading;
    const char *file;
};

static struct acd_place place_of(const struct source *source, const config_setting_t *at)
{
    const char *file = config_setting_source_file(at); /* known for included files only */

    return (struct acd_place){file ? file : source->file, config_setting_source_line(at)};
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

static void take_bool(const struct source *source, const struct acd_setting *setting,
                      const config_setting_t *at, const char *path)
{
    if (config_setting_type(at) == CONFIG_TYPE_BOOL)
        acd_reading_bool(source->reading, setting, place_of(source, at), config_setting_get_bool(at));
    else
        acd_reading_complain(source->reading, place_of(source, at), "%s must be true or false, not %s", path,
                             type_text(at));
}

static void take_int(const struct source *source, const struct acd_setting *setting,
                     const config_setting_t *at, const char *path)
{
    int type = config_setting_type(at);

    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)
        acd_reading_int(source->reading, setting, place_of(source, at), config_setting_get_int64(at));
    else
        acd_reading_complain(source->reading, place_of(source, at),
                             "%s must be an integer from %lld to %lld, not %s", path, (long long)setting->min,
                             (long long)setting->max, type_text(at));
}

static void take_string(const struct source *source, const struct acd_setting *setting,
                        const config_setting_t *at, const char *path)
{
    const char *text = config_setting_get_string(at);

    if (text)
        acd_reading_string(source->reading, setting, place_of(source, at), text);
    else
        acd_reading_complain(source->reading, place_of(source, at),
                             "%s must be a string (in double quotes), not %s", path, type_text(at));
}

static void take_list(const struct source *source, const struct acd_setting *setting,
                      const config_setting_t *at, const char *path)
{
    if (!config_setting_is_array(at) && !config_setting_is_list(at)) {
        acd_reading_complain(source->reading, place_of(source, at),
                             "%s must be a list of strings, as [ \"a\", \"b\" ], not %s", path,
                             type_text(at));
        return;
    }
    acd_reading_list(source->reading, setting, place_of(source, at));
    for (int i = 0; i < config_setting_length(at); i++) {
        const config_setting_t *item = config_setting_get_elem(at, (unsigned)i);
        const char *text = config_setting_get_string(item);

        if (text)
            acd_reading_item(source->reading, setting, place_of(source, item), text);
        else
            acd_reading_complain(source->reading, place_of(source, item),
                                 "%s must hold strings (in double quotes), not %s", path, type_text(item));
    }
}

static void take(const struct source *source, const struct acd_setting *setting, const config_setting_t *at)
{
    char path[ACD_SETTING_PATH_BYTES];

    acd_setting_path(setting, path, sizeof(path));
    if (setting->kind == ACD_SETTING_BOOL)
        take_bool(source, setting, at, path);
    if (setting->kind == ACD_SETTING_INT)
        take_int(source, setting, at, path);
    if (setting->kind == ACD_SETTING_STRING)
        take_string(source, setting, at, path);
    if (setting->kind == ACD_SETTING_LIST)
        take_list(source, setting, at, path);
}

static void take_member(const struct source *source, const char *group, const config_setting_t *at)
{
    const char *name = config_setting_name(at);
    const char *dot = group[0] ? "." : "";
    char nearest[ACD_SETTING_PATH_BYTES];

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (strcmp(acd_setting_table[i].group, group) == 0 && strcmp(acd_setting_table[i].name, name) == 0) {
            take(source, &acd_setting_table[i], at);
            return;
        }
    if (acd_setting_suggest(group, name, nearest, sizeof(nearest)))
        acd_reading_complain(source->reading, place_of(source, at),
                             "unknown setting '%s%s%s', did you mean '%s'?", group, dot, name, nearest);
    else
        acd_reading_complain(source->reading, place_of(source, at), "unknown setting '%s%s%s'", group, dot,
                             name);
}

/* The table's own text of a group's name, or NULL. */
static const char *find_group(const char *name)
{
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (acd_setting_table[i].group[0] && strcmp(acd_setting_table[i].group, name) == 0)
            return acd_setting_table[i].group;
    return NULL;
}

static void take_tree(const struct source *source, const config_setting_t *root)
{
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *at = config_setting_get_elem(root, (unsigned)i);
        const char *group = find_group(config_setting_name(at));

        if (!group)
            take_member(source, "", at);
        else if (!config_setting_is_group(at))
            acd_reading_complain(source->reading, place_of(source, at),
                                 "%s must be a group, as %s: { … };, not %s", group, group, type_text(at));
        else
            for (int j = 0; j < config_setting_length(at); j++)
                take_member(source, group, config_setting_get_elem(at, (unsigned)j));
    }
}

/* A directory would make libconfig's scanner end the process. */
static bool is_directory(const char *file)
{
    struct stat status;

    return stat(file, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The file's name in a line that includes it, as libconfig would find it; false for any other line. */
static bool included_by(const char *line, const char *directory, char *out, size_t out_bytes)
{
    static const char word[] = "@include";
    const char *at = line + strspn(line, " \t");
    size_t len;

    if (strncmp(at, word, sizeof(word) - 1) != 0)
        return false;
    at += sizeof(word) - 1;
    at += strspn(at, " \t");
    if (*at++ != '"')
        return false;
    len = strcspn(at, "\"\r\n");
    if (at[0] == '/')
        snprintf(out, out_bytes, "%.*s", (int)len, at);
    else
        snprintf(out, out_bytes, "%s/%.*s", directory, (int)len, at);
    return true;
}

/* Complains of what is included and is none of the files that libconfig can take. False when files include
 * each other without an end. */
static bool check_includes(const struct source *source, const char *file, const char *directory,
                           unsigned depth)
{
    FILE *stream = is_directory(file) ? NULL : fopen(file, "re");
    bool ends = depth < INCLUDES_MAX;
    char *line = NULL;
    size_t line_bytes = 0;
    char included[PATH_MAX];

    for (unsigned number = 1; stream && ends && getline(&line, &line_bytes, stream) >= 0; number++) {
        if (!included_by(line, directory, included, sizeof(included)))
            continue;
        if (is_directory(included))
            acd_reading_complain(source->reading, (struct acd_place){file, number},
                                 "%s cannot be included: it is a directory", included);
        ends = check_includes(source, included, directory, depth + 1);
    }
    if (!ends && depth == 0)
        acd_reading_complain(source->reading, (struct acd_place){file, 1},
                             "files are included within files more than %d deep", INCLUDES_MAX);
    free(line);
    if (stream)
        fclose(stream);
    return ends;
}

/* Fills the tree. False after a complaint. */
static bool parse(const struct source *source, config_t *tree)
{
    char path[PATH_MAX];
    const char *directory;
    FILE *stream = fopen(source->file, "re");
    bool parsed = false;

    if (!stream || is_directory(source->file)) {
        fprintf(source->reading->errors, "%s: cannot be read: %s\n", source->file,
                strerror(stream ? EISDIR : errno));
        source->reading->failed = true;
        goto out;
    }
    /* What is included is looked for beside the file, not where the daemon was started. */
    snprintf(path, sizeof(path), "%s", source->file);
    directory = dirname(path);
    config_set_include_dir(tree, directory);
    if (!check_includes(source, source->file, directory, 0) || source->reading->failed)
        goto out;
    parsed = config_read(tree, stream) == CONFIG_TRUE;
    if (!parsed) {
        const char *included = config_error_file(tree);
        int line = config_error_line(tree);
        struct acd_place place = {included ? included : source->file, line > 0 ? (unsigned)line : 1};

        acd_reading_complain(source->reading, place, "%s", config_error_text(tree));
    }
out:
    if (stream)
        fclose(stream);
    return parsed;
}

int acd_settings_read(struct acd_settings *settings, const char *file, char *const *environment, FILE *errors)
{
    struct acd_reading reading = {.settings = settings, .errors = errors};
    struct source source = {&reading, file};
    config_t tree;
    bool parsed;

    /* The tree owns the names of included files, which complaints are about. */
    config_init(&tree);
    parsed = !file || parse(&source, &tree);
    if (file && parsed)
        take_tree(&source, config_root_setting(&tree));
    if (environment)
        acd_reading_environment(&reading, environment);
    if (parsed)
        acd_reading_compare(&reading);
    config_destroy(&tree);
    return reading.failed ? -1 : 0;
}
