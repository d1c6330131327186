/* blame.h: finding the one refusal that a command gets. Private to the core.
 *
 * A message is checked as a whole, and everything that is wrong is blamed; what is kept is the refusal whose
 * code comes first in the contract's order, and of one code the one blamed first. So the checks go through a
 * message in the order of the contract's tables, and need not know of each other.
 */
#ifndef ACCOUNTD_CORE_BLAME_H
#define ACCOUNTD_CORE_BLAME_H

#include "accountd/arena.h"
#include "accountd/result.h"
#include "accountd/value.h"

/* Where in the message: a chain on the stack, written out only when there is something to blame. */
struct acd_path {
    const struct acd_path *parent; /* NULL: the root */
    struct acd_slice key;          /* of a member */
    int64_t index;                 /* of an item; -1: it is a member */
};

static inline struct acd_path acd_path_member(const struct acd_path *parent, struct acd_slice key)
{
    return (struct acd_path){parent, key, -1};
}

static inline struct acd_path acd_path_item(const struct acd_path *parent, uint32_t index)
{
    return (struct acd_path){parent, {NULL, 0}, index};
}

struct acd_blame {
    struct acd_arena *arena;
    struct acd_refusal refusal; /* the one to be answered so far */
};

/* True when a refusal with this code would be kept. Asked before a message costs anything. */
bool acd_blame_counts(const struct acd_blame *blame, enum acd_code code);

/* Blames what is at the path. */
void acd_blame_add(struct acd_blame *blame, enum acd_code code, const struct acd_path *path,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What a value is, as a piece of a message: 'text', cut where it is long, 5, true, "an array". */
struct acd_slice acd_blame_describe(struct acd_blame *blame, const struct acd_value *value);

/* The start of a text, at most some 40 bytes. */
struct acd_slice acd_blame_excerpt(struct acd_blame *blame, struct acd_slice text);

/* Blames INVALID_FIELD with "KEY is VALUE; it must be WHAT". */
void acd_blame_value(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                     const char *what);

/* The place of the value among the words, or -1 when it is none of them and was blamed. */
int acd_blame_unless_word(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                          const struct acd_slice *words, size_t count);

#endif
