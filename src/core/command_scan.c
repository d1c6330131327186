/* The walk over a message: which members it has, and which it should not have. */
#include "reading.h"

/* What a map is, as far as its members are concerned. */
enum place { IN_ROOT, IN_ENTRY };

struct member_rule {
    struct acd_slice name;
    unsigned ops;
};

static const struct member_rule rules[ACD_MEMBER_COUNT] = {
#define X(id, name, ops) [ACD_MEMBER_##id] = {ACD_LITERAL(name), ops},
    ACD_MEMBERS(X)
#undef X
};

struct acd_slice acd_member_name(enum acd_member_id member)
{
    return rules[member].name;
}

static enum acd_member_id find_member(struct acd_slice name)
{
    for (unsigned member = 0; member < ACD_MEMBER_COUNT; member++) {
        if (acd_slice_equal(rules[member].name, name))
            return (enum acd_member_id)member;
    }
    return ACD_MEMBER_COUNT;
}

static bool entry_may_have(enum acd_op op, enum acd_member_id member)
{
    /* The type of an export chooses among all accounts; one that is named has the type that it has. */
    return member == ACD_MEMBER_ACCOUNT || (member == ACD_MEMBER_TYPE && op != ACD_EXPORT) ||
           member == ACD_MEMBER_PROFILE || member == ACD_MEMBER_IF_REVISION;
}

static bool is_known(enum place place, enum acd_op op, enum acd_member_id member)
{
    if (member == ACD_MEMBER_COUNT || (place == IN_ENTRY && !entry_may_have(op, member)))
        return false;
    /* Without an op nothing is another op's; the missing op is what will be answered. */
    return op == ACD_OP_NONE || (rules[member].ops & ACD_IN(op));
}

static void blame_unknown(struct acd_reading *reading, const struct acd_path *parent, struct acd_slice key,
                          const char *whose)
{
    struct acd_path path = acd_path_member(parent, key);
    struct acd_slice excerpt;

    if (reading->command->op == ACD_OP_NONE || !acd_blame_counts(&reading->blame, ACD_UNKNOWN_FIELD))
        return;
    excerpt = acd_blame_excerpt(&reading->blame, key);
    acd_blame_add(&reading->blame, ACD_UNKNOWN_FIELD, &path, "'%.*s' is no field of %s",
                  ACD_SLICE_ARGS(excerpt), whose);
}

static void scan_profile(struct acd_reading *reading, const struct acd_path *parent,
                         const struct acd_value *profile, struct acd_found_profile *found)
{
    struct acd_path path = acd_path_member(parent, rules[ACD_MEMBER_PROFILE].name);

    if (profile->kind != ACD_MAP)
        return;
    for (uint32_t i = 0; i < profile->count; i++) {
        const struct acd_member *member = &profile->members[i];
        unsigned field = acd_field_find(member->key);

        if (field == ACD_FIELD_COUNT && !acd_slice_is(member->key, "custom"))
            blame_unknown(reading, &path, member->key, "a profile");
        else
            found->at[field] = &member->value;
    }
}

static void scan_entry(struct acd_reading *reading, const struct acd_path *path, uint32_t index,
                       struct acd_found_entry *entry)
{
    struct acd_scan *scan = &reading->scan;
    bool is_map = entry->value->kind == ACD_MAP;
    bool is_name = entry->value->kind == ACD_STRING;

    for (uint32_t i = 0; is_map && i < entry->value->count; i++) {
        const struct acd_member *member = &entry->value->members[i];
        enum acd_member_id id;

        if (member->value.kind == ACD_NULL)
            continue;
        id = find_member(member->key);
        if (!is_known(IN_ENTRY, reading->command->op, id)) {
            blame_unknown(reading, path, member->key, "an entry of accounts here");
            continue;
        }
        entry->members.at[id] = &member->value;
        if (id == ACD_MEMBER_PROFILE)
            scan_profile(reading, path, &member->value, &entry->profile);
    }
    if (is_map && !entry->members.at[ACD_MEMBER_ACCOUNT] && scan->entry_without_account < 0)
        scan->entry_without_account = index;
    if (entry->members.at[ACD_MEMBER_PROFILE])
        scan->entry_with_profile = true;
    else if ((is_map || is_name) && scan->entry_without_profile < 0)
        scan->entry_without_profile = index;
}

static void scan_entries(struct acd_reading *reading, const struct acd_value *accounts)
{
    struct acd_path parent = acd_path_member(NULL, rules[ACD_MEMBER_ACCOUNTS].name);
    struct acd_scan *scan = &reading->scan;

    if (accounts->kind != ACD_ARRAY)
        return;
    if (accounts->count <= ACD_TARGETS_MAX) {
        scan->entry_count = accounts->count;
        scan->entries = acd_arena_calloc(reading->arena, accounts->count, sizeof(*scan->entries));
    }
    for (uint32_t i = 0; i < accounts->count; i++) {
        /* Of too many, only what outranks their number matters, and nothing is kept. */
        struct acd_found_entry passing = {.value = NULL};
        struct acd_found_entry *entry = scan->entries ? &scan->entries[i] : &passing;
        struct acd_path path = acd_path_item(&parent, i);

        entry->value = &accounts->items[i];
        scan_entry(reading, &path, i, entry);
    }
}

void acd_scan_message(struct acd_reading *reading, const struct acd_value *message)
{
    struct acd_scan *scan = &reading->scan;
    enum acd_op op = reading->command->op;

    *scan = (struct acd_scan){.entry_without_profile = -1, .entry_without_account = -1};
    for (uint32_t i = 0; i < message->count; i++) {
        const struct acd_member *member = &message->members[i];
        enum acd_member_id id;

        if (member->value.kind == ACD_NULL)
            continue;
        id = find_member(member->key);
        if (!is_known(IN_ROOT, op, id)) {
            blame_unknown(reading, NULL, member->key, op == ACD_OP_NONE ? "a command" : acd_op_text(op));
            continue;
        }
        scan->root.at[id] = &member->value;
        if (id == ACD_MEMBER_PROFILE)
            scan_profile(reading, NULL, &member->value, &scan->profile);
        if (id == ACD_MEMBER_ACCOUNTS)
            scan_entries(reading, &member->value);
    }
}
