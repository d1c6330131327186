/* account.h: the account and its profile, the value that everything else is about.
 *
 * An account value never changes once made: a change makes a new one, so that an answer may keep pointing
 * at the version it was true of. Texts are slices of the arena (or of the cache, which copies on load).
 */
#ifndef ACCOUNTD_ACCOUNT_H
#define ACCOUNTD_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/slice.h"

#define ACD_APP_MAX          32  /* bytes of an app's name */
#define ACD_NAME_MAX         32  /* bytes of an account's name */
#define ACD_CUSTOM_MAX       20  /* custom fields an account */
#define ACD_CUSTOM_TAG_MAX   8   /* letters of a custom field's name */
#define ACD_CUSTOM_VALUE_MAX 500 /* bytes of its value */

enum acd_type {
    ACD_TYPE_UNSET, /* in commands: not said */
    ACD_GENERAL,
    ACD_ADMIN,
};

const char *acd_type_text(enum acd_type type);

/* How a profile field's value is checked and written. */
enum acd_field_kind {
    ACD_FIELD_TEXT,   /* string of at most max bytes */
    ACD_FIELD_URL,    /* ^https?://(?![/?#])[!-~]+$ */
    ACD_FIELD_ENUM,   /* one of choices */
    ACD_FIELD_DATE,   /* YYYY-MM-DD, a real date from 0001-01-01 on */
    ACD_FIELD_UINT32, /* kept as decimal text, written as a number */
};

/* The ONE table of profile fields, in the contract's order, which is the order of records and of csv.
 * X(identifier, name, kind, max bytes, choices separated by blanks). `custom` stands apart: it is a map. */
#define ACD_FIELDS(X)                                                                                        \
    X(NICKNAME, "nickname", ACD_FIELD_TEXT, 500, "")                                                         \
    X(AVATAR_URL, "avatar_url", ACD_FIELD_URL, 500, "")                                                      \
    X(GENDER, "gender", ACD_FIELD_ENUM, 7, "unknown female male")                                            \
    X(BIRTHDAY, "birthday", ACD_FIELD_DATE, 10, "")                                                          \
    X(LOCATION, "location", ACD_FIELD_TEXT, 16, "")                                                          \
    X(SIGNATURE, "signature", ACD_FIELD_TEXT, 500, "")                                                       \
    X(ALLOW_TYPE, "allow_type", ACD_FIELD_ENUM, 12, "need_confirm allow_any deny_any")                       \
    X(LANGUAGE, "language", ACD_FIELD_UINT32, 10, "")                                                        \
    X(MESSAGE_SETTINGS, "message_settings", ACD_FIELD_UINT32, 10, "")                                        \
    X(ADMIN_FORBID, "admin_forbid", ACD_FIELD_ENUM, 8, "none send_out")                                      \
    X(LEVEL, "level", ACD_FIELD_UINT32, 10, "")                                                              \
    X(ROLE, "role", ACD_FIELD_UINT32, 10, "")

enum acd_field {
#define X(id, name, kind, max, choices) ACD_##id,
    ACD_FIELDS(X)
#undef X
        ACD_FIELD_COUNT
};

struct acd_field_rule {
    const char *name;
    enum acd_field_kind kind;
    size_t max; /* bytes */
    const char *choices;
};

extern const struct acd_field_rule acd_field_rules[ACD_FIELD_COUNT];

/* The field of that name, or ACD_FIELD_COUNT. */
enum acd_field acd_field_find(struct acd_slice name);

struct acd_custom {
    struct acd_slice tag;
    struct acd_slice value; /* never empty */
};

struct acd_account {
    bool exists;                              /* false: deleted, or never made (revision 0) */
    enum acd_type type;                       /* GENERAL or ADMIN where it exists */
    int64_t revision;                         /* grows over deletes too */
    int64_t created_at_ms;                    /* since 1970 */
    int64_t updated_at_ms;                    /* since 1970 */
    struct acd_slice fields[ACD_FIELD_COUNT]; /* text as Redis holds it; empty: not set */
    const struct acd_custom *custom;          /* by tag, in byte order */
    uint32_t custom_count;
};

/* The account that never was; what a key that Redis does not know loads as. */
extern const struct acd_account acd_account_none;

/* True when both would be written alike, apart from revision and times. */
bool acd_account_same(const struct acd_account *a, const struct acd_account *b);

#endif
