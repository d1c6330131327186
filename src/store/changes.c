/* What accounts become, as arguments. */
#include "changes.h"

#include <stdlib.h>

#include "accountd/text.h"
#include "dump.h"

static void add_pair(struct acd_args *args, const char *name, struct acd_slice value)
{
    acd_args_str(args, name);
    acd_args_add(args, value);
}

static void add_number(struct acd_args *args, const char *name, int64_t before, int64_t now)
{
    if (before == now)
        return;
    acd_args_str(args, name);
    acd_args_int(args, now);
}

static struct acd_slice custom_name(struct acd_args *args, struct acd_slice tag)
{
    static const char prefix[] = "custom.";
    const size_t prefix_len = sizeof(prefix) - 1;
    char *name = acd_arena_alloc(args->arena, prefix_len + tag.len);

    memcpy(name, prefix, prefix_len);
    memcpy(name + prefix_len, tag.data, tag.len);
    return acd_slice(name, prefix_len + tag.len);
}

/* Both lists are in byte order of the tags: a merge. Adds what is to be set, or what is to be removed. */
static void add_custom(struct acd_args *args, const struct acd_account *old, const struct acd_account *now,
                       bool removed)
{
    uint32_t i = 0;
    uint32_t j = 0;

    while (i < old->custom_count || j < now->custom_count) {
        int order = i == old->custom_count   ? 1
                    : j == now->custom_count ? -1
                                             : acd_slice_compare(old->custom[i].tag, now->custom[j].tag);

        if (order < 0 && removed)
            acd_args_add(args, custom_name(args, old->custom[i].tag));
        if (order >= 0 && !removed &&
            (order || !acd_slice_equal(old->custom[i].value, now->custom[j].value))) {
            acd_args_add(args, custom_name(args, now->custom[j].tag));
            acd_args_add(args, now->custom[j].value);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

static void add_fields(struct acd_args *args, const struct acd_account *old, const struct acd_account *now)
{
    if (old->type != now->type)
        add_pair(args, "type", acd_slice_str(acd_type_text(now->type)));
    add_number(args, "rev", old->revision, now->revision);
    add_number(args, "updated_at", old->updated_at_ms, now->updated_at_ms);
    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        if (now->fields[f].len && !acd_slice_equal(old->fields[f], now->fields[f]))
            add_pair(args, acd_field_rules[f].name, now->fields[f]);
    add_custom(args, old, now, false);
}

static void add_removals(struct acd_args *args, const struct acd_account *old, const struct acd_account *now)
{
    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        if (old->fields[f].len && !now->fields[f].len)
            acd_args_str(args, acd_field_rules[f].name);
    add_custom(args, old, now, true);
}

bool acd_changes_made(const struct acd_account *old, const struct acd_account *now)
{
    return now->exists && (!old->exists || old->created_at_ms != now->created_at_ms);
}

void acd_changes_init(struct acd_changes *changes, struct acd_arena *arena)
{
    *changes = (struct acd_changes){0};
    acd_shapes_init(&changes->shapes);
    acd_args_init(&changes->fields, arena, 64);
    acd_args_init(&changes->gone, arena, 64);
}

/* ---- New accounts */

static int by_group(const void *one, const void *other)
{
    const struct acd_newcomer *a = one;
    const struct acd_newcomer *b = other;

    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (int)a->account->type - (int)b->account->type;
}

/* Puts accounts of one group beside each other; most batches bring only one group. Returns how many groups
 * there are. */
static uint32_t sort_newcomers(struct acd_newcomer *newcomers, uint32_t count)
{
    uint32_t groups = count > 0;
    bool sorted = true;

    for (uint32_t i = 1; i < count && sorted; i++)
        sorted = by_group(&newcomers[i - 1], &newcomers[i]) <= 0;
    if (!sorted)
        qsort(newcomers, count, sizeof(*newcomers), by_group);
    for (uint32_t i = 1; i < count; i++)
        groups += by_group(&newcomers[i - 1], &newcomers[i]) != 0;
    return groups;
}

static void add_group(struct acd_args *args, const struct acd_newcomer *newcomers, uint32_t count)
{
    acd_args_int(args, newcomers->partition);
    acd_args_str(args, newcomers->account->type == ACD_ADMIN ? "+" : "");
    acd_args_int(args, count);
    for (uint32_t i = 0; i < count; i++) {
        acd_args_int(args, newcomers[i].account->created_at_ms);
        acd_args_add(args, newcomers[i].name);
    }
    for (uint32_t i = 0; i < count; i++)
        acd_args_add(args, acd_dump(args->arena, newcomers[i].account));
}

void acd_changes_newcomers(struct acd_changes *changes, struct acd_newcomer *newcomers, uint32_t count)
{
    uint32_t begin = 0;

    acd_args_int(&changes->args, sort_newcomers(newcomers, count));
    for (uint32_t end = 1; end <= count; end++) {
        if (end < count && by_group(&newcomers[begin], &newcomers[end]) == 0)
            continue;
        add_group(&changes->args, &newcomers[begin], end - begin);
        begin = end;
    }
}

/* ---- All others */

static void add_name(struct acd_changes *changes, struct acd_shape *shape, const char *text, size_t len)
{
    uint32_t at = shape->set_count + shape->gone_count;

    if (at == changes->name_capacity) {
        uint32_t capacity = changes->name_capacity ? 2 * changes->name_capacity : 64;
        struct acd_slice *names = acd_arena_alloc(changes->fields.arena, capacity * sizeof(*names));

        if (at)
            memcpy(names, changes->names, at * sizeof(*names));
        changes->names = names;
        changes->name_capacity = capacity;
    }
    changes->names[at] = acd_slice(text, len);
    shape->names = changes->names;
}

void acd_changes_account(struct acd_changes *changes, int32_t partition, const char *kind, const char *admin,
                         const struct acd_account *old, const struct acd_account *now)
{
    struct acd_args *args = &changes->args;
    struct acd_args *fields = &changes->fields;
    struct acd_args *gone = &changes->gone;
    struct acd_shape shape = {.partition = partition, .kind = kind, .admin = admin};

    acd_args_clear(fields);
    acd_args_clear(gone);
    if (now != old && now->exists && !acd_changes_made(old, now)) {
        add_fields(fields, old, now);
        add_removals(gone, old, now);
    }
    for (uint32_t i = 0; i < fields->count; i += 2, shape.set_count++)
        add_name(changes, &shape, fields->values[i], fields->lengths[i]);
    for (uint32_t i = 0; i < gone->count; i++, shape.gone_count++)
        add_name(changes, &shape, gone->values[i], gone->lengths[i]);
    acd_args_int(args, acd_shapes_number(&changes->shapes, args->arena, &shape));
    for (uint32_t i = 1; i < fields->count; i += 2)
        acd_args_add(args, acd_slice(fields->values[i], fields->lengths[i]));
    if (now != old && !now->exists) {
        acd_args_int(args, now->revision);
    } else if (acd_changes_made(old, now)) {
        acd_args_int(args, now->created_at_ms);
        acd_args_add(args, acd_dump(args->arena, now));
    }
}
