/* finding.h: what a look at the servers found, one line each: "ok: …", "warning: …", "error: …".
 *
 * The text of a warning or an error says what to do about it.
 */
#ifndef ACCOUNTD_FINDING_H
#define ACCOUNTD_FINDING_H

#include <stdio.h>

/* In the order of their weight. */
enum acd_weight {
    ACD_FOUND_OK,
    ACD_FOUND_WARNING,     /* accountd serves, but somebody should know */
    ACD_FOUND_UNREACHABLE, /* a server does not answer, which may pass by itself */
    ACD_FOUND_MISSING,     /* something has to be made first */
    ACD_FOUND_FORBIDDEN,   /* a right is missing */
    ACD_FOUND_WRONG,       /* it would lose data, or does not fit: not to be served with */
};

/* Starts as {.out = …} or, when only the worst counts, as {0}. */
struct acd_findings {
    FILE *out; /* where each is written as it comes; may be NULL */
    enum acd_weight worst;
    char first[512]; /* the first of the worst */
};

void acd_finding_add(struct acd_findings *findings, enum acd_weight weight, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
