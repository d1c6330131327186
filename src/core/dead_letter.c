/* The names that a dead letter's own headers have. */
#include "accountd/dead_letter.h"

#include <stddef.h>

/* Kafka may give them more names. */
#define ERRORS_PREFIX "__dlq.errors."

bool acd_dead_letter_adds(struct acd_slice name)
{
    static const char *const names[] = {ACD_LETTER_CODE, ACD_LETTER_CUT, ACD_LETTER_CUT_KEY,
                                        ACD_LETTER_CUT_HEADERS};
    const size_t prefix = sizeof(ERRORS_PREFIX) - 1;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (acd_slice_is(name, names[i]))
            return true;
    return name.len >= prefix && memcmp(name.data, ERRORS_PREFIX, prefix) == 0;
}
