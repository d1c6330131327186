/* "Did you mean": the known name that is nearest to an unknown one. */
#include <stdio.h>
#include <string.h>

#include "settings_table.h"

#define WORD_MAX 32

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* How many letters must be put in, taken out or changed (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t b_len = strlen(b);

    if (strlen(a) > WORD_MAX || b_len > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];

            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

/* Keeps the candidate when it is nearer than the best so far. */
static void consider(const char *name, const char *candidate, const char **best, size_t *best_distance)
{
    size_t d = distance(name, candidate);

    if (d < *best_distance) {
        *best = candidate;
        *best_distance = d;
    }
}

bool acd_setting_suggest(const char *group, const char *name, char *out, size_t out_bytes)
{
    const char *best = NULL;
    /* A third of the letters may be wrong, and two of a short name. */
    size_t limit = strlen(name) / 3 > 2 ? strlen(name) / 3 : 2;
    size_t best_distance = limit + 1;

    for (size_t i = 0; i < ACD_SETTING_COUNT; i++) {
        const struct acd_setting *setting = &acd_setting_table[i];

        if (strcmp(setting->group, group) == 0)
            consider(name, setting->name, &best, &best_distance);
        if (group[0] == '\0' && setting->group[0])
            consider(name, setting->group, &best, &best_distance);
    }
    if (best) {
        snprintf(out, out_bytes, "%s", best);
        return true;
    }
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (strcmp(acd_setting_table[i].name, name) == 0) {
            snprintf(out, out_bytes, "%s%s%s", acd_setting_table[i].group,
                     acd_setting_table[i].group[0] ? "." : "", name);
            return true;
        }
    return false;
}
