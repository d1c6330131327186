/* result.h: the result codes of the contract, one table.
 *
 * A refusal is a value like any other answer, not an error of the program.
 */
#ifndef ACCOUNTD_RESULT_H
#define ACCOUNTD_RESULT_H

#include <stdint.h>

#include "accountd/slice.h"

/* In the contract's order of precedence: where several apply, the first is answered. */
#define ACD_CODES(X)                                                                                         \
    X(OK, "ok")                                                                                              \
    X(UNAUTHORIZED, "unauthorized")                                                                          \
    X(MALFORMED, "malformed")                                                                                \
    X(UNSUPPORTED_VERSION, "unsupported_version")                                                            \
    X(UNKNOWN_OP, "unknown_op")                                                                              \
    X(MISSING_FIELD, "missing_field")                                                                        \
    X(UNKNOWN_FIELD, "unknown_field")                                                                        \
    X(INVALID_FIELD, "invalid_field")                                                                        \
    X(REPLY_TOPIC_FORBIDDEN, "reply_topic_forbidden")                                                        \
    X(APP_FORBIDDEN, "app_forbidden")                                                                        \
    X(CONFIRMATION_REQUIRED, "confirmation_required")                                                        \
    X(ACCOUNT_NOT_FOUND, "account_not_found")                                                                \
    X(ACCOUNT_EXISTS, "account_exists")                                                                      \
    X(REVISION_CONFLICT, "revision_conflict")                                                                \
    X(IMMUTABLE_FIELD, "immutable_field")                                                                    \
    X(ADMIN_LIMIT, "admin_limit")                                                                            \
    X(CUSTOM_LIMIT, "custom_limit")                                                                          \
    X(REPLY_TOO_LARGE, "reply_too_large")                                                                    \
    X(INTERNAL, "internal")

enum acd_code {
#define X(name, text) ACD_##name,
    ACD_CODES(X)
#undef X
        ACD_CODE_COUNT
};

/* The code's name on the wire. */
const char *acd_code_text(enum acd_code code);

/* Why a command, or one entry of it, was not done. Slices are the arena's. */
struct acd_refusal {
    enum acd_code code;       /* ACD_OK: not refused */
    struct acd_slice field;   /* path from the root, at most ACD_PATH_MAX bytes; empty: none to blame */
    struct acd_slice message; /* says what would be right */
    int64_t revision;         /* the one the account has, with REVISION_CONFLICT; else 0 */
};

/* error.field is cut here, at a character boundary (contract, section 3). */
#define ACD_PATH_MAX 128

#endif
