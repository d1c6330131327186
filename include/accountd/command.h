/* command.h: a command that has been read and checked.
 *
 * acd_command_read turns a decoded message into a command, or into the one refusal that the contract's
 * precedence asks for. It is total: any tree gives one or the other. Everything it returns is in the arena
 * or borrows from the tree.
 */
#ifndef ACCOUNTD_COMMAND_H
#define ACCOUNTD_COMMAND_H

#include "accountd/account.h"
#include "accountd/arena.h"
#include "accountd/result.h"
#include "accountd/value.h"

#define ACD_TARGETS_MAX  100  /* accounts a command */
#define ACD_ID_MAX       64   /* bytes of a command's id */
#define ACD_LIST_MAX     1000 /* rows a list */
#define ACD_LIST_DEFAULT 100  /* rows when the command does not say */

enum acd_op { ACD_OP_NONE, ACD_CREATE, ACD_EDIT, ACD_DELETE, ACD_GET, ACD_LIST, ACD_EXPORT, ACD_OP_COUNT };
enum acd_on_exists { ACD_EXISTS_ERROR, ACD_EXISTS_UPDATE, ACD_EXISTS_SKIP };
enum acd_format { ACD_NDJSON, ACD_JSON, ACD_CSV, ACD_MSGPACK };
enum acd_compression { ACD_PLAIN, ACD_GZIP, ACD_ZSTD };

const char *acd_op_text(enum acd_op op);                       /* NULL for ACD_OP_NONE */
const char *acd_format_text(enum acd_format format);           /* "ndjson" … */
const char *acd_compression_text(enum acd_compression method); /* "none" "gzip" "zstd" */

/* What a profile map asks for. A field is in none, or in one, of the two masks. */
struct acd_change {
    uint32_t set;                             /* bit per enum acd_field: takes values[field] */
    uint32_t clear;                           /* bit per enum acd_field: is removed */
    struct acd_slice values[ACD_FIELD_COUNT]; /* checked, as text */
    bool custom_clear;                        /* custom was null: all of them go */
    const struct acd_custom *custom;          /* an empty value removes the tag; by tag, in byte order */
    uint32_t custom_count;
};

/* One account that a command names, with what is the command's own filled in. */
struct acd_target {
    struct acd_slice account;
    enum acd_type type;              /* ACD_TYPE_UNSET: not said */
    const struct acd_change *change; /* NULL: no profile */
    int64_t if_revision;             /* -1: any */
    bool own_type;                   /* of many: the entry itself said it, so that blame points there */
    bool own_profile;                /* likewise */
};

/* Columns of an export: names of the record, then of the profile. */
enum acd_column {
    ACD_COLUMN_APP,
    ACD_COLUMN_ACCOUNT,
    ACD_COLUMN_TYPE,
    ACD_COLUMN_REVISION,
    ACD_COLUMN_CREATED_AT,
    ACD_COLUMN_UPDATED_AT,
    ACD_COLUMN_PROFILE, /* + enum acd_field */
    ACD_COLUMN_CUSTOM = ACD_COLUMN_PROFILE + ACD_FIELD_COUNT,
    ACD_COLUMN_COUNT
};

const char *acd_column_text(enum acd_column column);

struct acd_command {
    /* These four are what a reply repeats, and are filled in where they are valid even if the command is
     * refused. */
    enum acd_op op;           /* ACD_OP_NONE: not known */
    struct acd_slice id;      /* empty: the command brought none that is valid */
    struct acd_slice app;     /* empty: none that is valid */
    struct acd_slice account; /* of a command for one account; empty: none that is valid */

    bool many; /* `accounts` was given: the reply has counts and results */
    const struct acd_target *targets;
    uint32_t target_count;
    enum acd_on_exists on_exists;
    bool dry_run;

    int64_t list_limit;
    bool list_from_cursor;
    int64_t cursor_created_at_ms; /* list: rows after (created_at, name) */
    struct acd_slice cursor_account;

    bool every; /* export: all accounts of the app, and no targets; of them only those that fit the next four
                 */
    enum acd_type type;        /* ACD_TYPE_UNSET: any */
    int64_t created_after_ms;  /* created then or later */
    int64_t created_before_ms; /* created before */
    int64_t updated_after_ms;  /* changed then or later */
    enum acd_format format;
    enum acd_compression compression;
    uint8_t columns[ACD_COLUMN_COUNT]; /* enum acd_column, in order */
    uint32_t column_count;
};

/* True when an export of all takes an account that was created at that time and is otherwise like this. */
bool acd_command_chooses(const struct acd_command *command, const struct acd_account *account);

/* What the settings say about commands. */
struct acd_policy {
    const struct acd_slice *apps; /* the apps that are served; none listed: all are */
    uint32_t app_count;
    int64_t admins_per_app;
};

/* Reads a command. Returns the refusal of highest precedence, or one with code ACD_OK.
 * `outside` is a refusal that was found in the record's key and headers (INVALID_FIELD or
 * REPLY_TOPIC_FORBIDDEN) or NULL; it takes its place in the order of precedence. */
struct acd_refusal acd_command_read(const struct acd_value *message, const struct acd_policy *policy,
                                    const struct acd_refusal *outside, struct acd_arena *arena,
                                    struct acd_command *out);

/* The cursor that continues after a row, in the arena; opaque to clients. */
struct acd_slice acd_cursor_write(int64_t created_at_ms, struct acd_slice account, struct acd_arena *arena);

/* False when the text is no cursor. The account borrows from the arena. */
bool acd_cursor_read(struct acd_slice text, struct acd_arena *arena, int64_t *created_at_ms,
                     struct acd_slice *account);

#endif
