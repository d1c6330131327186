/* checker.h: the checker's inside, shared by the files that make it up:
 *   checker.c          the order of the checks
 *   checker_read.c     bytes to trees, times
 *   checker_command.c  what a command means, or why it is refused
 *   checker_profile.c  profiles: their rules, and merging
 *   checker_model.c    accounts, and what a command does to them
 *   checker_reply.c    which reply is whose, and what it says
 *   checker_search.c   an order that makes every reply true
 *   checker_end.c      Redis and the changelog as that order leaves them
 *
 * It is written from docs/protocol.md alone and shares no code with what it judges.
 */
#ifndef ACCOUNTD_SIM_CHECKER_H
#define ACCOUNTD_SIM_CHECKER_H

#include <jansson.h>

#include "history.h"

#define CHECK_COMMANDS "account.commands"
#define CHECK_NONE     (-1)

enum check_op { CHECK_CREATE, CHECK_EDIT, CHECK_DELETE, CHECK_GET, CHECK_LIST, CHECK_OPS };
enum check_exists { CHECK_EXISTS_ERROR, CHECK_EXISTS_UPDATE, CHECK_EXISTS_SKIP };

/* An account that some command names. */
struct subject {
    const char *app;
    const char *name;
    uint64_t partitions; /* those whose commands name it */
};

/* What a command asks of one account. */
struct order {
    uint32_t subject;
    int admin;     /* 1 or 0 where it names a type, else CHECK_NONE */
    json_t *patch; /* NULL: none */
    int64_t if_revision;
};

/* What came of it; also what the reply says came of it. */
struct outcome {
    const char *code; /* NULL: ok */
    int64_t revision; /* CHECK_NONE where there is none */
    bool changed;
    bool record; /* what follows is there */
    bool admin;
    int64_t created_ms;
    int64_t updated_ms;
    uint32_t profile;
};

/* A command and its reply. */
struct post {
    const struct sim_command *command;
    bool msgpack;
    const char *name; /* TOPIC:PARTITION:OFFSET */
    const char *id;
    int op;              /* CHECK_NONE: none that is valid */
    const char *app;     /* NULL: none that is valid */
    const char *account; /* NULL: none that is valid */
    bool many;
    const char *code; /* refused as a whole, or NULL */
    const char *field;
    struct order *orders;
    uint32_t order_count;
    enum check_exists on_exists;
    bool dry_run;
    int64_t limit;
    bool after;
    int64_t at_ms;

    const struct sim_message *message;
    json_t *reply;
    struct outcome *said; /* one for each order */
};

struct account {
    bool exists;
    bool admin;
    int64_t revision; /* also of one that is deleted; 0: there never was one */
    int64_t created_ms;
    int64_t updated_ms;
    uint32_t profile;
};

struct check {
    struct acd_arena *arena;
    const struct sim_history *history;
    struct post *posts; /* in the order of history->commands */
    struct subject *subjects;
    uint32_t subject_count;
    uint32_t subject_capacity;
    json_t **profiles; /* each different one once */
    const char **profile_texts;
    uint32_t profile_count;
    uint32_t profile_capacity;
    json_t **trees; /* to be released at the end */
    uint32_t tree_count;
    uint32_t tree_capacity;
    const char *wrong; /* the first thing that is */
};

/* Says what is wrong, and is false. */
bool check_fail(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Doubles an array in the arena when it is full. */
void *check_grow(struct check *check, void *items, uint32_t count, uint32_t *capacity, size_t size);

/* ---- checker_read.c */

/* NULL: malformed. The tree belongs to the check. */
json_t *check_decode(struct check *check, struct acd_slice value, bool msgpack);
json_t *check_own(struct check *check, json_t *tree);

/* Which encoding a command has. */
bool check_is_msgpack(const struct sim_command *command);
struct acd_slice check_unframe(struct acd_slice value);

/* The last header of that name. */
bool check_header(const struct acd_header *headers, uint32_t count, const char *name, struct acd_slice *out);

const char *check_time(struct check *check, int64_t ms);
int64_t check_time_parse(const char *text); /* CHECK_NONE when it is none */

/* A tree as text, in the arena. */
const char *check_dump(struct check *check, const json_t *tree);

/* ---- checker_profile.c */

/* The code that refuses a profile, with the field to blame below `path`; NULL when it is good. */
const char *check_profile(struct check *check, const char *path, const json_t *profile, const char **field);
uint32_t check_intern(struct check *check, json_t *profile);

/* False: more custom fields than an account may have. */
bool check_merge(struct check *check, uint32_t profile, json_t *patch, uint32_t *out);

/* ---- checker_command.c */

void check_command(struct check *check, struct post *post);

/* ---- checker_model.c */

/* What the command does to the accounts: an outcome for each order, and the accounts after it. */
void check_apply(struct check *check, const struct post *post, struct account *accounts,
                 struct outcome *outcomes);

/* True when the list can be what these accounts give. Other partitions may get in between what is on the page
 * and what its rows say, so only what this partition alone writes is compared. */
bool check_list(struct check *check, const struct post *post, const struct account *accounts);

/* ---- checker_reply.c */

/* Finds the reply of every command, and reads what each says. */
bool check_replies(struct check *check);

/* Compares the whole reply with what it should be. */
bool check_reply(struct check *check, const struct post *post, const struct outcome *outcomes);

/* ---- checker_search.c */

/* The revisions that replies speak of: each account's from 1 on, without a gap, none twice. */
bool check_revisions(struct check *check);

/* Finds an order of the commands in which every reply is true: indexes of posts. */
bool check_search(struct check *check, uint32_t *path);

/* ---- checker_end.c */

/* A change that is to be in the changelog. */
struct change {
    int32_t partition;
    uint32_t subject;
    struct account account;
    bool seen;
};

json_t *check_record(struct check *check, uint32_t subject, const struct account *account);
bool check_redis(struct check *check, const struct account *accounts);
bool check_changelog(struct check *check, struct change *changes, uint32_t count);

#endif
