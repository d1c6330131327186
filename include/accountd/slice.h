/* slice.h: bytes that somebody else owns.
 *
 * A slice borrows: it is valid as long as the memory it points into, which is nearly always the batch's
 * arena or the Kafka message being decided. It is not terminated by a NUL and may hold any byte.
 * The absent slice (data NULL, length 0) and an empty one are told apart only where a header says so.
 */
#ifndef ACCOUNTD_SLICE_H
#define ACCOUNTD_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct acd_slice {
    const char *data;
    size_t len; /* bytes */
};

/* The slice of a string literal, usable in initialisers. */
#define ACD_LITERAL(text)                                                                                    \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }

static inline struct acd_slice acd_slice(const void *data, size_t len)
{
    return (struct acd_slice){data, len};
}

/* Borrows a C string; NULL gives the absent slice. */
static inline struct acd_slice acd_slice_str(const char *text)
{
    return (struct acd_slice){text, text ? strlen(text) : 0};
}

static inline bool acd_slice_equal(struct acd_slice a, struct acd_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool acd_slice_is(struct acd_slice a, const char *text)
{
    return acd_slice_equal(a, acd_slice_str(text));
}

/* Byte order, as Redis orders the members of a sorted set: <0, 0, >0. */
static inline int acd_slice_compare(struct acd_slice a, struct acd_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
