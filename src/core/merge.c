/* Merging a profile into an account. */
#include "merge.h"

/* Sets and clears fields; true when one differs after it. */
static bool merge_fields(struct acd_account *account, const struct acd_change *change)
{
    bool changed = false;

    for (unsigned field = 0; field < ACD_FIELD_COUNT; field++) {
        uint32_t bit = 1U << field;
        struct acd_slice value = change->set & bit ? change->values[field] : acd_slice(NULL, 0);

        if (!((change->set | change->clear) & bit) || acd_slice_equal(account->fields[field], value))
            continue;
        account->fields[field] = value;
        changed = true;
    }
    return changed;
}

static bool same_custom(const struct acd_custom *a, uint32_t a_count, const struct acd_custom *b,
                        uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++) {
        if (!acd_slice_equal(a[i].tag, b[i].tag) || !acd_slice_equal(a[i].value, b[i].value))
            return false;
    }
    return true;
}

/* Merges two lists that are in the order of their tags: what is said of a tag wins over what was. */
static bool merge_custom(struct acd_arena *arena, struct acd_account *account,
                         const struct acd_change *change)
{
    const struct acd_custom *had = account->custom;
    uint32_t had_count = change->custom_clear ? 0 : account->custom_count;
    struct acd_custom *merged;
    uint32_t count = 0;
    uint32_t i = 0;
    uint32_t j = 0;

    if (!change->custom_clear && change->custom_count == 0)
        return false;
    merged = acd_arena_alloc(arena, (had_count + change->custom_count) * sizeof(*merged));
    while (i < had_count || j < change->custom_count) {
        int order = 0;

        if (i == had_count)
            order = 1;
        else if (j == change->custom_count)
            order = -1;
        else
            order = acd_slice_compare(had[i].tag, change->custom[j].tag);
        if (order < 0) {
            merged[count++] = had[i++];
            continue;
        }
        if (order == 0)
            i++;
        if (change->custom[j].value.len)
            merged[count++] = change->custom[j];
        j++;
    }
    if (same_custom(had, account->custom_count, merged, count))
        return false;
    account->custom = merged;
    account->custom_count = count;
    return true;
}

enum acd_merged acd_merge(struct acd_arena *arena, struct acd_account *account,
                          const struct acd_change *change)
{
    bool fields_changed, custom_changed;

    if (!change)
        return ACD_MERGED_SAME;
    fields_changed = merge_fields(account, change);
    custom_changed = merge_custom(arena, account, change);
    /* An account that has too many already, by other hands, can still change otherwise. */
    if (custom_changed && account->custom_count > ACD_CUSTOM_MAX)
        return ACD_MERGED_TOO_MANY;
    return fields_changed || custom_changed ? ACD_MERGED_CHANGED : ACD_MERGED_SAME;
}
