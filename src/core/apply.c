/* The decision: entry by entry, each after the effect of those before. */
#include "accountd/apply.h"

#include <assert.h>

#include "merge.h"

/* What the decision of one entry may look at. */
struct deciding {
    struct acd_arena *arena;
    const struct acd_command *command;
    const struct acd_policy *policy;
    const struct acd_target *target;
    uint32_t index; /* of the target */
    struct acd_entry *entry;
    int64_t now_ms;
};

const char *acd_status_text(enum acd_status status)
{
    static const char *const texts[] = {"ok", "partial", "error"};

    return texts[status];
}

struct acd_answer acd_refuse(struct acd_refusal refusal)
{
    return (struct acd_answer){.status = ACD_STATUS_ERROR, .refusal = refusal};
}

/* The path of a member of the target: within its entry where that said it, else the command's own. */
static struct acd_slice path_of(const struct deciding *deciding, bool own, const char *member)
{
    if (deciding->command->many && own)
        return acd_arena_format(deciding->arena, "accounts[%u].%s", deciding->index, member);
    return acd_slice_str(member);
}

/* What was done at a revision. */
static struct acd_outcome done(const struct deciding *deciding, bool changed)
{
    return (struct acd_outcome){
        .account = deciding->target->account,
        .revision = deciding->entry->current->revision,
        .changed = changed,
    };
}

static struct acd_outcome refused(const struct deciding *deciding, struct acd_refusal refusal)
{
    return (struct acd_outcome){.account = deciding->target->account, .refusal = refusal};
}

static struct acd_outcome refuse_absent(const struct deciding *deciding)
{
    return refused(deciding, acd_refusal(deciding->arena, ACD_ACCOUNT_NOT_FOUND, acd_slice(NULL, 0),
                                         "account %.*s does not exist in app %.*s",
                                         ACD_SLICE_ARGS(deciding->target->account),
                                         ACD_SLICE_ARGS(deciding->command->app)));
}

static bool at_wanted_revision(const struct deciding *deciding)
{
    int64_t wanted = deciding->target->if_revision;

    return wanted < 0 || wanted == deciding->entry->current->revision;
}

static struct acd_outcome refuse_revision(const struct deciding *deciding)
{
    int64_t revision = deciding->entry->current->revision;
    struct acd_refusal refusal = acd_refusal(deciding->arena, ACD_REVISION_CONFLICT, acd_slice(NULL, 0),
                                             "account %.*s is at revision %lld, not at %lld",
                                             ACD_SLICE_ARGS(deciding->target->account), (long long)revision,
                                             (long long)deciding->target->if_revision);

    refusal.revision = revision;
    return refused(deciding, refusal);
}

static struct acd_outcome refuse_custom(const struct deciding *deciding)
{
    return refused(deciding,
                   acd_refusal(deciding->arena, ACD_CUSTOM_LIMIT,
                               path_of(deciding, deciding->target->own_profile, "profile.custom"),
                               "account %.*s would have more than %d custom fields; remove some with null",
                               ACD_SLICE_ARGS(deciding->target->account), ACD_CUSTOM_MAX));
}

/* Makes the changed account, at the next revision, the entry's current one. */
static struct acd_outcome write_account(const struct deciding *deciding, const struct acd_account *changed)
{
    struct acd_account *account = acd_arena_alloc(deciding->arena, sizeof(*account));

    *account = *changed;
    account->revision = deciding->entry->current->revision + 1;
    account->updated_at_ms = deciding->now_ms;
    deciding->entry->current = account;
    return done(deciding, true);
}

/* The part that edit and create with on_exists "update" share: the account exists. */
static struct acd_outcome update_account(const struct deciding *deciding)
{
    const struct acd_account *old = deciding->entry->current;
    enum acd_type type = deciding->target->type;
    struct acd_account changed = *old;

    if (type != ACD_TYPE_UNSET && type != old->type)
        return refused(deciding,
                       acd_refusal(deciding->arena, ACD_IMMUTABLE_FIELD,
                                   path_of(deciding, deciding->target->own_type, "type"),
                                   "account %.*s is of type %s, which never changes",
                                   ACD_SLICE_ARGS(deciding->target->account), acd_type_text(old->type)));
    switch (acd_merge(deciding->arena, &changed, deciding->target->change)) {
    case ACD_MERGED_CHANGED:
        return write_account(deciding, &changed);
    case ACD_MERGED_TOO_MANY:
        return refuse_custom(deciding);
    case ACD_MERGED_SAME:
        break;
    }
    return done(deciding, false);
}

static struct acd_outcome make_account(const struct deciding *deciding)
{
    enum acd_type type = deciding->target->type == ACD_ADMIN ? ACD_ADMIN : ACD_GENERAL;
    struct acd_account account = {.exists = true, .type = type, .created_at_ms = deciding->now_ms};
    struct acd_app *app = deciding->entry->app;
    enum acd_merged merged;

    if (type == ACD_ADMIN) {
        assert(app->admins >= 0);
        app->admins_touched = true;
        if (app->admins >= deciding->policy->admins_per_app)
            return refused(deciding, acd_refusal(deciding->arena, ACD_ADMIN_LIMIT,
                                                 path_of(deciding, deciding->target->own_type, "type"),
                                                 "app %.*s has %lld admins; at most %lld are allowed",
                                                 ACD_SLICE_ARGS(app->name), (long long)app->admins,
                                                 (long long)deciding->policy->admins_per_app));
    }
    /* A command brings no more custom fields than an account may have, and a new one has none. */
    merged = acd_merge(deciding->arena, &account, deciding->target->change);
    assert(merged != ACD_MERGED_TOO_MANY);
    if (type == ACD_ADMIN)
        app->admins++;
    return write_account(deciding, &account);
}

static struct acd_outcome decide_create(const struct deciding *deciding)
{
    if (!deciding->entry->current->exists)
        return make_account(deciding);
    switch (deciding->command->on_exists) {
    case ACD_EXISTS_UPDATE:
        return update_account(deciding);
    case ACD_EXISTS_SKIP:
        return done(deciding, false);
    case ACD_EXISTS_ERROR:
        break;
    }
    return refused(deciding, acd_refusal(deciding->arena, ACD_ACCOUNT_EXISTS, acd_slice(NULL, 0),
                                         "account %.*s exists in app %.*s already",
                                         ACD_SLICE_ARGS(deciding->target->account),
                                         ACD_SLICE_ARGS(deciding->command->app)));
}

static struct acd_outcome decide_edit(const struct deciding *deciding)
{
    if (!deciding->entry->current->exists)
        return refuse_absent(deciding);
    return at_wanted_revision(deciding) ? update_account(deciding) : refuse_revision(deciding);
}

/* Leaves a tombstone: nothing but the revision, which goes on growing when the account is made again. */
static struct acd_outcome decide_delete(const struct deciding *deciding)
{
    struct acd_app *app = deciding->entry->app;

    if (!deciding->entry->current->exists)
        return refuse_absent(deciding);
    if (!at_wanted_revision(deciding))
        return refuse_revision(deciding);
    if (deciding->entry->current->type == ACD_ADMIN) {
        assert(app->admins >= 0);
        app->admins_touched = true;
        /* A set that other hands have emptied must not count below nothing. */
        if (app->admins > 0)
            app->admins--;
    }
    return write_account(deciding, &acd_account_none);
}

static struct acd_outcome decide_get(const struct deciding *deciding)
{
    struct acd_outcome outcome;

    if (!deciding->entry->current->exists)
        return refuse_absent(deciding);
    outcome = done(deciding, false);
    outcome.record = deciding->entry->current;
    return outcome;
}

static struct acd_outcome decide(const struct deciding *deciding)
{
    switch (deciding->command->op) {
    case ACD_CREATE:
        return decide_create(deciding);
    case ACD_EDIT:
        return decide_edit(deciding);
    case ACD_DELETE:
        return decide_delete(deciding);
    case ACD_GET:
    case ACD_EXPORT:
    case ACD_LIST:
    case ACD_OP_NONE:
    case ACD_OP_COUNT:
        break;
    }
    return decide_get(deciding);
}

static struct acd_answer sum_up(const struct acd_outcome *outcomes, uint32_t count)
{
    struct acd_answer answer = {.outcomes = outcomes, .outcome_count = count};

    for (uint32_t i = 0; i < count; i++)
        answer.ok_count += outcomes[i].refusal.code == ACD_OK;
    if (answer.ok_count == count) {
        answer.status = ACD_STATUS_OK;
    } else if (answer.ok_count) {
        answer.status = ACD_STATUS_PARTIAL;
    } else {
        answer.status = ACD_STATUS_ERROR;
        answer.refusal = outcomes[0].refusal;
    }
    return answer;
}

struct acd_answer acd_apply(struct acd_arena *arena, const struct acd_command *command,
                            struct acd_entry *const *entries, const struct acd_policy *policy, int64_t now_ms)
{
    uint32_t count = command->target_count;
    struct acd_outcome *outcomes = acd_arena_calloc(arena, count, sizeof(*outcomes));
    const struct acd_account **before = acd_arena_calloc(arena, count, sizeof(*before));
    int64_t admins_before = count ? entries[0]->app->admins : 0;

    for (uint32_t i = 0; i < count; i++) {
        struct deciding deciding = {
            .arena = arena,
            .command = command,
            .policy = policy,
            .target = &command->targets[i],
            .index = i,
            .entry = entries[i],
            .now_ms = now_ms,
        };

        assert(entries[i]->current);
        before[i] = entries[i]->current;
        outcomes[i] = decide(&deciding);
    }
    if (command->dry_run && count) {
        /* Backwards, so that an account that came twice would end as it began. */
        for (uint32_t i = count; i-- > 0;)
            entries[i]->current = before[i];
        entries[0]->app->admins = admins_before;
    }
    return sum_up(outcomes, count);
}

bool acd_apply_needs_admins(const struct acd_command *command, struct acd_entry *const *entries)
{
    for (uint32_t i = 0; i < command->target_count; i++) {
        const struct acd_account *current;

        if (command->op == ACD_CREATE && command->targets[i].type == ACD_ADMIN)
            return true;
        if (command->op != ACD_DELETE)
            continue;
        current = entries[i]->current;
        assert(current);
        if (current->exists && current->type == ACD_ADMIN)
            return true;
    }
    return false;
}
