/* What differs between the settings in effect and those that were read anew. */
#include <stdlib.h>
#include <string.h>

#include "settings_table.h"

static bool same_strings(const struct acd_strings *a, const struct acd_strings *b)
{
    bool same = a->count == b->count;

    for (uint32_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

static bool same(const struct acd_setting *setting, const void *a, const void *b)
{
    if (setting->kind == ACD_SETTING_BOOL)
        return *(const bool *)a == *(const bool *)b;
    if (setting->kind == ACD_SETTING_INT)
        return *(const int64_t *)a == *(const int64_t *)b;
    if (setting->kind == ACD_SETTING_STRING)
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    return same_strings(a, b);
}

static int copy_strings(struct acd_strings *to, const struct acd_strings *from)
{
    acd_strings_free(to);
    for (uint32_t i = 0; i < from->count; i++) {
        char *item = strdup(from->items[i]);

        if (!item || acd_strings_add(to, item)) {
            free(item);
            return -1;
        }
    }
    return 0;
}

/* Puts a copy of one value in place of another. */
static int copy(const struct acd_setting *setting, void *to, const void *from)
{
    char *text;

    if (setting->kind == ACD_SETTING_LIST)
        return copy_strings(to, from);
    if (setting->kind == ACD_SETTING_BOOL) {
        *(bool *)to = *(const bool *)from;
        return 0;
    }
    if (setting->kind == ACD_SETTING_INT) {
        *(int64_t *)to = *(const int64_t *)from;
        return 0;
    }
    text = strdup(*(char *const *)from);
    if (!text)
        return -1;
    free(*(char **)to);
    *(char **)to = text;
    return 0;
}

int acd_settings_follow(struct acd_settings *next, const struct acd_settings *present,
                        void (*changed)(void *context, const char *path, bool live), void *context)
{
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++) {
        const struct acd_setting *setting = &acd_setting_table[i];
        const void *before = (const char *)present + setting->offset;
        void *now = acd_setting_place(setting, next);
        char path[ACD_SETTING_PATH_BYTES];

        if (same(setting, before, now))
            continue;
        if (!setting->live && copy(setting, now, before))
            return -1;
        changed(context, acd_setting_path(setting, path, sizeof(path)), setting->live);
    }
    return 0;
}
