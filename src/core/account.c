/* The field table, and comparing accounts. */
#include "accountd/account.h"

const struct acd_field_rule acd_field_rules[ACD_FIELD_COUNT] = {
#define X(id, name, kind, max, choices) [ACD_##id] = {name, kind, max, choices},
    ACD_FIELDS(X)
#undef X
};

const struct acd_account acd_account_none;

const char *acd_type_text(enum acd_type type)
{
    static const char *const texts[] = {"", "general", "admin"};

    return texts[type];
}

enum acd_field acd_field_find(struct acd_slice name)
{
    static const struct acd_slice names[ACD_FIELD_COUNT] = {
#define X(id, name, kind, max, choices) [ACD_##id] = ACD_LITERAL(name),
        ACD_FIELDS(X)
#undef X
    };

    for (unsigned field = 0; field < ACD_FIELD_COUNT; field++) {
        if (acd_slice_equal(names[field], name))
            return (enum acd_field)field;
    }
    return ACD_FIELD_COUNT;
}

bool acd_account_same(const struct acd_account *a, const struct acd_account *b)
{
    if (!a->exists || !b->exists)
        return a->exists == b->exists;
    if (a->type != b->type || a->custom_count != b->custom_count)
        return false;
    for (unsigned field = 0; field < ACD_FIELD_COUNT; field++) {
        if (!acd_slice_equal(a->fields[field], b->fields[field]))
            return false;
    }
    for (uint32_t i = 0; i < a->custom_count; i++) {
        if (!acd_slice_equal(a->custom[i].tag, b->custom[i].tag) ||
            !acd_slice_equal(a->custom[i].value, b->custom[i].value))
            return false;
    }
    return true;
}
