/* Which accounts a command is about, and what it says of each. */
#include "names.h"
#include "reading.h"

#define NAME_RULE "1 to 32 of A-Z a-z 0-9 . _ @ -, first a letter or a digit"

static const struct acd_slice types[] = {ACD_LITERAL("general"), ACD_LITERAL("admin")};

/* The name, or an empty slice when it is none and was blamed. */
static struct acd_slice read_name(struct acd_reading *reading, const struct acd_path *path,
                                  const struct acd_value *value)
{
    if (value->kind == ACD_STRING && acd_name_is_account(value->string))
        return value->string;
    acd_blame_value(&reading->blame, path, value, NAME_RULE);
    return acd_slice(NULL, 0);
}

static enum acd_type read_type(struct acd_reading *reading, const struct acd_path *path,
                               const struct acd_value *value)
{
    int place = acd_blame_unless_word(&reading->blame, path, value, types, 2);

    return place < 0 ? ACD_TYPE_UNSET : (enum acd_type)(ACD_GENERAL + place);
}

static int64_t read_if_revision(struct acd_reading *reading, const struct acd_path *path,
                                const struct acd_value *value)
{
    int64_t revision;

    if (acd_value_integer(value, &revision) && revision >= 0)
        return revision;
    acd_blame_value(&reading->blame, path, value, "an integer from 0 on");
    return -1;
}

/* Type, profile and if_revision, of the command or of an entry. */
static void read_members(struct acd_reading *reading, const struct acd_path *parent,
                         const struct acd_found *found, const struct acd_found_profile *profile,
                         struct acd_target *out)
{
    const struct acd_value *type = found->at[ACD_MEMBER_TYPE];
    const struct acd_value *change = found->at[ACD_MEMBER_PROFILE];
    const struct acd_value *revision = found->at[ACD_MEMBER_IF_REVISION];
    struct acd_path path;

    out->own_type = type != NULL;
    if (type) {
        path = acd_path_member(parent, acd_member_name(ACD_MEMBER_TYPE));
        out->type = read_type(reading, &path, type);
    }
    out->own_profile = change != NULL;
    if (change) {
        path = acd_path_member(parent, acd_member_name(ACD_MEMBER_PROFILE));
        out->change = acd_read_profile(reading, &path, change, profile);
    }
    out->if_revision = -1;
    if (revision) {
        path = acd_path_member(parent, acd_member_name(ACD_MEMBER_IF_REVISION));
        out->if_revision = read_if_revision(reading, &path, revision);
    }
}

static void blame_twice(struct acd_reading *reading, const struct acd_path *path,
                        const struct acd_target *targets, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (targets[i].account.len && acd_slice_equal(targets[i].account, targets[index].account)) {
            acd_blame_add(&reading->blame, ACD_INVALID_FIELD, path,
                          "account %.*s is named twice; accounts[%u] has it already",
                          ACD_SLICE_ARGS(targets[index].account), i);
            return;
        }
    }
}

static void read_entry(struct acd_reading *reading, const struct acd_path *path, struct acd_target *targets,
                       uint32_t index)
{
    const struct acd_found_entry *entry = &reading->scan.entries[index];
    const struct acd_value *account = entry->members.at[ACD_MEMBER_ACCOUNT];
    struct acd_path account_path = acd_path_member(path, acd_member_name(ACD_MEMBER_ACCOUNT));
    const struct acd_path *name_path = &account_path;

    targets[index].if_revision = -1;
    if (entry->value->kind == ACD_STRING) {
        account = entry->value;
        name_path = path;
    } else if (entry->value->kind != ACD_MAP) {
        acd_blame_value(&reading->blame, path, entry->value, "a name, or a map with account");
        return;
    }
    if (account) {
        targets[index].account = read_name(reading, name_path, account);
        if (targets[index].account.len)
            blame_twice(reading, name_path, targets, index);
    }
    read_members(reading, path, &entry->members, &entry->profile, &targets[index]);
}

static void read_entries(struct acd_reading *reading, const struct acd_path *path,
                         const struct acd_value *accounts, struct acd_target **targets)
{
    if (accounts->kind != ACD_ARRAY) {
        acd_blame_value(&reading->blame, path, accounts, "an array of names, or of maps with account");
        return;
    }
    if (accounts->count == 0 || accounts->count > ACD_TARGETS_MAX) {
        acd_blame_add(&reading->blame, ACD_INVALID_FIELD, path,
                      "accounts has %u entries; it must have 1 to %d", accounts->count, ACD_TARGETS_MAX);
        return;
    }
    *targets = acd_arena_calloc(reading->arena, accounts->count, sizeof(**targets));
    reading->command->target_count = accounts->count;
    for (uint32_t i = 0; i < accounts->count; i++) {
        struct acd_path at = acd_path_item(path, i);

        read_entry(reading, &at, *targets, i);
    }
}

/* The fields that must be there: in the order in which the first one missing is answered. */
static void blame_missing(struct acd_reading *reading)
{
    const struct acd_scan *scan = &reading->scan;
    struct acd_path account = acd_path_member(NULL, acd_member_name(ACD_MEMBER_ACCOUNT));
    struct acd_path accounts = acd_path_member(NULL, acd_member_name(ACD_MEMBER_ACCOUNTS));
    struct acd_path profile = acd_path_member(NULL, acd_member_name(ACD_MEMBER_PROFILE));
    struct acd_path entry;

    if (!scan->root.at[ACD_MEMBER_ACCOUNT] && !scan->root.at[ACD_MEMBER_ACCOUNTS] &&
        !scan->root.at[ACD_MEMBER_EVERY])
        acd_blame_add(&reading->blame, ACD_MISSING_FIELD, &account,
                      "account is missing; %s takes account or accounts", acd_op_text(reading->command->op));
    if (scan->entry_without_account >= 0) {
        entry = acd_path_item(&accounts, (uint32_t)scan->entry_without_account);
        account.parent = &entry;
        acd_blame_add(&reading->blame, ACD_MISSING_FIELD, &account,
                      "accounts[%lld] does not say which account it is about",
                      (long long)scan->entry_without_account);
    }
    if (reading->command->op != ACD_EDIT || scan->root.at[ACD_MEMBER_PROFILE])
        return;
    if (!scan->entry_with_profile) {
        acd_blame_add(&reading->blame, ACD_MISSING_FIELD, &profile,
                      "profile is missing; it may be empty, but edit needs one");
    } else if (scan->entry_without_profile >= 0) {
        entry = acd_path_item(&accounts, (uint32_t)scan->entry_without_profile);
        profile.parent = &entry;
        acd_blame_add(&reading->blame, ACD_MISSING_FIELD, &profile,
                      "accounts[%lld] has no profile, and neither has the command",
                      (long long)scan->entry_without_profile);
    }
}

void acd_read_accounts(struct acd_reading *reading, struct acd_target **targets)
{
    const struct acd_value *account = acd_reading_root(reading, ACD_MEMBER_ACCOUNT);
    const struct acd_value *accounts = acd_reading_root(reading, ACD_MEMBER_ACCOUNTS);
    struct acd_path account_path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_ACCOUNT));
    struct acd_path accounts_path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_ACCOUNTS));

    blame_missing(reading);
    if (account)
        reading->command->account = read_name(reading, &account_path, account);
    if (!accounts && !account && acd_reading_root(reading, ACD_MEMBER_EVERY))
        return;
    if (!accounts) {
        *targets = acd_arena_calloc(reading->arena, 1, sizeof(**targets));
        (*targets)->account = reading->command->account;
        reading->command->target_count = 1;
        return;
    }
    reading->command->many = true;
    if (account)
        acd_blame_add(&reading->blame, ACD_INVALID_FIELD, &accounts_path,
                      "account and accounts are both given; one of them is allowed");
    read_entries(reading, &accounts_path, accounts, targets);
}

void acd_read_shared(struct acd_reading *reading, struct acd_target *targets)
{
    struct acd_target shared = {.type = ACD_TYPE_UNSET};

    read_members(reading, NULL, &reading->scan.root, &reading->scan.profile, &shared);
    if (reading->command->op == ACD_EXPORT) {
        acd_blame_unless_every(reading, ACD_MEMBER_TYPE);
        reading->command->type = shared.type;
    }
    for (uint32_t i = 0; i < reading->command->target_count; i++) {
        struct acd_target *target = &targets[i];

        if (!reading->command->many || !target->own_type)
            target->type = shared.type;
        if (!reading->command->many || !target->own_profile)
            target->change = shared.change;
        if (!reading->command->many || target->if_revision < 0)
            target->if_revision = shared.if_revision;
    }
}
