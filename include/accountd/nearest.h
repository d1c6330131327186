/* nearest.h: "did you mean": a search for the known name that is nearest to an unknown one. */
#ifndef ACCOUNTD_NEAREST_H
#define ACCOUNTD_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

struct acd_nearest {
    const char *name; /* the unknown one; borrowed */
    size_t distance;  /* of the nearest so far; at first the least that is too much */
};

struct acd_nearest acd_nearest_to(const char *name);

/* True when the candidate is nearer than all before. */
bool acd_nearest_consider(struct acd_nearest *nearest, const char *candidate);

#endif
