/* Values on their way into the settings, wherever they come from, and whether they go together. */
#include "settings_reading.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/keyring.h"

#define MESSAGE_BYTES 512

void acd_reading_complain(struct acd_reading *reading, struct acd_place place, const char *format, ...)
{
    va_list args;

    reading->failed = true;
    if (place.line)
        fprintf(reading->errors, "%s:%u: ", place.source, place.line);
    else
        fprintf(reading->errors, "%.*s: ", (int)strcspn(place.source, "="), place.source);
    va_start(args, format);
    vfprintf(reading->errors, format, args);
    va_end(args);
    putc('\n', reading->errors);
}

/* Remembers where the setting was read; its path is written to `path`. */
static void note(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                 char *path, size_t path_bytes)
{
    reading->places[setting - acd_setting_table] = place;
    acd_setting_path(setting, path, path_bytes);
}

void acd_reading_bool(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                      bool value)
{
    reading->places[setting - acd_setting_table] = place;
    *(bool *)acd_setting_place(setting, reading->settings) = value;
}

void acd_reading_int(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                     long long value)
{
    char path[ACD_SETTING_PATH_BYTES];

    note(reading, setting, place, path, sizeof(path));
    if (value < setting->min || value > setting->max)
        acd_reading_complain(reading, place, "%s must be from %lld to %lld, not %lld", path,
                             (long long)setting->min, (long long)setting->max, value);
    else
        *(int64_t *)acd_setting_place(setting, reading->settings) = value;
}

/* A copy of a text that the setting takes, or NULL after a complaint. */
static char *take_text(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                       const char *text)
{
    char message[MESSAGE_BYTES];
    char path[ACD_SETTING_PATH_BYTES];
    char *copy = NULL;

    note(reading, setting, place, path, sizeof(path));
    if (strlen(text) < (size_t)setting->min) {
        acd_reading_complain(reading, place, "%s must not %s", path,
                             setting->kind == ACD_SETTING_LIST ? "hold an empty string" : "be empty");
    } else if (strlen(text) > (size_t)setting->max) {
        acd_reading_complain(reading, place, "%s: '%.40s…' is longer than %lld bytes", path, text,
                             (long long)setting->max);
    } else if (setting->check && !setting->check(text, message, sizeof(message))) {
        acd_reading_complain(reading, place, "%s: %s", path, message);
    } else {
        copy = strdup(text);
        if (!copy)
            acd_reading_complain(reading, place, "%s: out of memory", path);
    }
    return copy;
}

void acd_reading_string(struct acd_reading *reading, const struct acd_setting *setting,
                        struct acd_place place, const char *text)
{
    char **at = acd_setting_place(setting, reading->settings);
    char *copy = take_text(reading, setting, place, text);

    if (copy) {
        free(*at);
        *at = copy;
    }
}

void acd_reading_list(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place)
{
    acd_strings_free(acd_setting_place(setting, reading->settings));
    reading->places[setting - acd_setting_table] = place;
}

void acd_reading_item(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                      const char *text)
{
    struct acd_strings *list = acd_setting_place(setting, reading->settings);
    char *copy = take_text(reading, setting, place, text);

    if (copy && acd_strings_add(list, copy)) {
        acd_reading_complain(reading, place, "out of memory");
        free(copy);
    }
}

static const char *topic_of(const struct acd_reading *reading, size_t index)
{
    const struct acd_setting *setting = &acd_setting_table[index];

    return setting->check == acd_check_topic ? *(char **)acd_setting_place(setting, reading->settings) : NULL;
}

/* True when the mistake is that of the later of two settings: it was read, and the earlier one was not read
 * after it, from the environment. */
static bool is_later(struct acd_place later, struct acd_place earlier)
{
    return later.source && (!later.line || !earlier.source || earlier.line);
}

/* Two jobs on one topic would read each other's messages. Of two alike one was read, since the defaults
 * differ. */
static void compare_topics(struct acd_reading *reading)
{
    char path[ACD_SETTING_PATH_BYTES];

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        for (size_t j = 0; j < i; j++) {
            bool later = is_later(reading->places[i], reading->places[j]);

            if (!topic_of(reading, i) || !topic_of(reading, j) ||
                strcmp(topic_of(reading, i), topic_of(reading, j)) != 0)
                continue;
            acd_reading_complain(reading, reading->places[later ? i : j], "kafka.%s: '%s' is %s already",
                                 acd_setting_table[later ? i : j].name, topic_of(reading, i),
                                 acd_setting_path(&acd_setting_table[later ? j : i], path, sizeof(path)));
        }
}

/* A reply on one of the other own topics would be taken for what that topic holds. */
static void compare_reply_topics(struct acd_reading *reading)
{
    const struct acd_strings *allowed = &reading->settings->kafka.reply_topics;
    struct acd_place place = {0};

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (acd_setting_table[i].check == acd_check_reply_topic)
            place = reading->places[i];
    for (uint32_t i = 0; i < allowed->count; i++)
        for (size_t j = 0; j < ACD_SETTING_COUNT; j++)
            if (topic_of(reading, j) && strcmp(acd_setting_table[j].name, "replies") != 0 &&
                strcmp(allowed->items[i], topic_of(reading, j)) == 0)
                acd_reading_complain(reading, place,
                                     "kafka.reply_topics: '%s' is kafka.%s and never takes replies",
                                     allowed->items[i], acd_setting_table[j].name);
}

/* Where a setting was read. */
static struct acd_place place_of(const struct acd_reading *reading, const void *value)
{
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (acd_setting_place(&acd_setting_table[i], reading->settings) == value)
            return reading->places[i];
    return (struct acd_place){0};
}

/* Of two keys with one id only the first would ever be used, and without a key no command could be signed. */
static void compare_keys(struct acd_reading *reading)
{
    const struct acd_strings *keys = &reading->settings->auth.keys;
    struct acd_key_text one;
    struct acd_key_text other;

    if (reading->settings->auth.required && keys->count == 0)
        acd_reading_complain(reading, place_of(reading, &reading->settings->auth.required),
                             "auth.required: commands must be signed, and auth.keys names no key");
    for (uint32_t i = 0; i < keys->count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (!acd_key_parse(keys->items[i], &one, NULL, 0) &&
                !acd_key_parse(keys->items[j], &other, NULL, 0) && acd_slice_equal(one.id, other.id))
                acd_reading_complain(reading, place_of(reading, keys), "auth.keys: key %.*s is there twice",
                                     ACD_SLICE_ARGS(one.id));
}

void acd_reading_compare(struct acd_reading *reading)
{
    compare_keys(reading);
    compare_topics(reading);
    compare_reply_topics(reading);
}
