/* ACCOUNTD_SECTION_NAME: values from the environment, over those of the file. */
#include <ctype.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/nearest.h"
#include "settings_reading.h"

#define PREFIX "ACCOUNTD_"

/* Bytes of the longest of these names with its NUL. */
#define VARIABLE_BYTES (sizeof(PREFIX) + ACD_SETTING_PATH_BYTES)

/* ACCOUNTD_ and the setting's path in capitals. */
static const char *variable_of(const struct acd_setting *setting, char *out, size_t out_bytes)
{
    char path[ACD_SETTING_PATH_BYTES];

    snprintf(out, out_bytes, PREFIX "%s", acd_setting_path(setting, path, sizeof(path)));
    for (char *at = out; *at; at++)
        *at = (char)(*at == '.' ? '_' : toupper((unsigned char)*at));
    return out;
}

static const struct acd_setting *find(const char *variable)
{
    char name[VARIABLE_BYTES];

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (strcmp(variable_of(&acd_setting_table[i], name, sizeof(name)), variable) == 0)
            return &acd_setting_table[i];
    return NULL;
}

static void take_bool(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                      const char *text)
{
    char path[ACD_SETTING_PATH_BYTES];

    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        acd_reading_bool(reading, setting, place, text[0] == 't');
    else
        acd_reading_complain(reading, place, "%s must be true or false, not '%.40s'",
                             acd_setting_path(setting, path, sizeof(path)), text);
}

static void take_int(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                     const char *text)
{
    char path[ACD_SETTING_PATH_BYTES];
    char *end;
    long long value;

    value = strtoll(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)text[0]))
        acd_reading_complain(reading, place, "%s must be an integer from %lld to %lld, not '%.40s'",
                             acd_setting_path(setting, path, sizeof(path)), (long long)setting->min,
                             (long long)setting->max, text);
    else /* a number that is too large for strtoll is its largest one, which no setting takes */
        acd_reading_int(reading, setting, place, value);
}

/* As in a file, for items that hold a comma: [ "^a{1,3}$", "b" ]. */
static void take_bracketed(struct acd_reading *reading, const struct acd_setting *setting,
                           struct acd_place place, const char *text)
{
    size_t bytes = strlen(text) + 16;
    char *line = malloc(bytes);
    config_t tree;
    const config_setting_t *list = NULL;

    config_init(&tree);
    if (line) {
        snprintf(line, bytes, "list = %s;", text);
        list = config_read_string(&tree, line) ? config_lookup(&tree, "list") : NULL;
    }
    if (!list || config_setting_length(config_root_setting(&tree)) != 1 || !config_setting_is_array(list))
        acd_reading_complain(reading, place, "must be a list of strings: a,b or [ \"a\", \"b\" ]");
    for (int i = 0; list && i < config_setting_length(list); i++) {
        const char *item = config_setting_get_string_elem(list, i);

        if (item)
            acd_reading_item(reading, setting, place, item);
        else
            acd_reading_complain(reading, place, "must hold strings, in double quotes between [ and ]");
    }
    config_destroy(&tree);
    free(line);
}

static void take_list(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                      const char *text)
{
    acd_reading_list(reading, setting, place);
    if (text[0] == '[') {
        take_bracketed(reading, setting, place, text);
        return;
    }
    while (*text) {
        size_t len = strcspn(text, ",");
        char *item = strndup(text, len);

        if (item)
            acd_reading_item(reading, setting, place, item);
        else
            acd_reading_complain(reading, place, "out of memory");
        free(item);
        text += len;
        if (*text == ',' && !*++text)
            acd_reading_item(reading, setting, place, "");
    }
}

static void complain_unknown(struct acd_reading *reading, struct acd_place place, const char *variable)
{
    struct acd_nearest nearest = acd_nearest_to(variable);
    char best[VARIABLE_BYTES] = "";
    char name[VARIABLE_BYTES];

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (acd_nearest_consider(&nearest, variable_of(&acd_setting_table[i], name, sizeof(name))))
            memcpy(best, name, sizeof(best));
    if (best[0])
        acd_reading_complain(reading, place, "unknown setting, did you mean '%s'?", best);
    else
        acd_reading_complain(reading, place, "unknown setting");
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Kubernetes tells every container of a namespace where a service named accountd is. */
static bool is_service_link(const char *variable)
{
    return begins(variable, PREFIX "SERVICE_") || begins(variable, PREFIX "PORT_") ||
           strcmp(variable, PREFIX "PORT") == 0;
}

static void take(struct acd_reading *reading, const char *entry)
{
    struct acd_place place = {entry, 0};
    const char *text = strchr(entry, '=');
    char variable[128] = "";
    const struct acd_setting *setting;

    if (!text || !begins(entry, PREFIX))
        return;
    snprintf(variable, sizeof(variable), "%.*s", (int)(text - entry), entry);
    text++;
    setting = find(variable);
    if (!setting && !is_service_link(variable))
        complain_unknown(reading, place, variable);
    if (setting && setting->kind == ACD_SETTING_BOOL)
        take_bool(reading, setting, place, text);
    if (setting && setting->kind == ACD_SETTING_INT)
        take_int(reading, setting, place, text);
    if (setting && setting->kind == ACD_SETTING_STRING)
        acd_reading_string(reading, setting, place, text);
    if (setting && setting->kind == ACD_SETTING_LIST)
        take_list(reading, setting, place, text);
}

void acd_reading_environment(struct acd_reading *reading, char *const *environment)
{
    for (; *environment; environment++)
        take(reading, *environment);
}
