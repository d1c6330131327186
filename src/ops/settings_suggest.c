/* "Did you mean": the setting that is nearest to an unknown one. */
#include <stdio.h>
#include <string.h>

#include "accountd/nearest.h"
#include "settings_table.h"

bool acd_setting_suggest(const char *group, const char *name, char *out, size_t out_bytes)
{
    struct acd_nearest nearest = acd_nearest_to(name);
    const char *best = NULL;

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++) {
        const struct acd_setting *setting = &acd_setting_table[i];

        if (strcmp(setting->group, group) == 0 && acd_nearest_consider(&nearest, setting->name))
            best = setting->name;
        if (group[0] == '\0' && setting->group[0] && acd_nearest_consider(&nearest, setting->group))
            best = setting->group;
    }
    if (best) {
        snprintf(out, out_bytes, "%s", best);
        return true;
    }
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (strcmp(acd_setting_table[i].name, name) == 0) {
            acd_setting_path(&acd_setting_table[i], out, out_bytes);
            return true;
        }
    return false;
}
