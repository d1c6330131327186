/* Levenshtein's distance. */
#include "accountd/nearest.h"

#include <string.h>

#define WORD_MAX 64

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

struct acd_nearest acd_nearest_to(const char *name)
{
    size_t third = strlen(name) / 3;

    /* A third of the letters may be wrong, and two of a short name. */
    return (struct acd_nearest){name, (third > 2 ? third : 2) + 1};
}

bool acd_nearest_consider(struct acd_nearest *nearest, const char *candidate)
{
    size_t d = distance(nearest->name, candidate);
    bool nearer = d < nearest->distance;

    if (nearer)
        nearest->distance = d;
    return nearer;
}
