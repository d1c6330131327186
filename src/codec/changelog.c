/* Changelog records: an account after a change, and back. */
#include "accountd/reply.h"
#include "accountd/text.h"

static void write_deleted(struct acd_writer *writer, struct acd_slice app, struct acd_slice name,
                          const struct acd_account *account)
{
    acd_writer_map(writer, 5);
    acd_writer_key(writer, "app");
    acd_writer_string(writer, app);
    acd_writer_key(writer, "account");
    acd_writer_string(writer, name);
    acd_writer_key(writer, "deleted");
    acd_writer_bool(writer, true);
    acd_writer_key(writer, "revision");
    acd_writer_int(writer, account->revision);
    acd_writer_key(writer, "at");
    acd_writer_time(writer, account->updated_at_ms);
    acd_writer_end(writer);
}

struct acd_slice acd_changelog_encode(struct acd_arena *arena, struct acd_slice app, struct acd_slice name,
                                      const struct acd_account *account)
{
    struct acd_writer writer;

    acd_writer_init(&writer, ACD_ENCODING_JSON, arena);
    if (account->exists)
        acd_record_write(&writer, app, name, account);
    else
        write_deleted(&writer, app, name, account);
    return acd_buffer_slice(&writer.buffer);
}

/* ---- Back */

static bool take_string(const struct acd_value *map, const char *key, struct acd_slice *out)
{
    const struct acd_value *member = acd_value_member(map, key);

    if (!member || member->kind != ACD_STRING)
        return false;
    *out = member->string;
    return true;
}

static bool take_time(const struct acd_value *map, const char *key, int64_t *out)
{
    struct acd_slice text;

    return take_string(map, key, &text) && acd_time_parse(text, out);
}

static bool take_revision(const struct acd_value *map, int64_t *out)
{
    const struct acd_value *member = acd_value_member(map, "revision");

    return member && acd_value_integer(member, out) && *out > 0;
}

/* The value as Redis holds it. */
static bool take_field(struct acd_arena *arena, const struct acd_value *value, struct acd_slice *out)
{
    int64_t number;

    if (value->kind == ACD_STRING)
        *out = value->string;
    else if (acd_value_integer(value, &number))
        *out = acd_buffer_int(arena, number);
    else
        return false;
    return out->len > 0;
}

/* Tags stand in byte order, as they were written. */
static bool take_custom(struct acd_arena *arena, const struct acd_value *map, struct acd_account *out)
{
    struct acd_custom *custom;

    if (map->kind != ACD_MAP)
        return false;
    custom = acd_arena_calloc(arena, map->count, sizeof(*custom));
    for (uint32_t i = 0; i < map->count; i++) {
        custom[i].tag = map->members[i].key;
        if (!take_field(arena, &map->members[i].value, &custom[i].value) ||
            (i > 0 && acd_slice_compare(custom[i - 1].tag, custom[i].tag) >= 0))
            return false;
    }
    out->custom = custom;
    out->custom_count = map->count;
    return true;
}

static bool take_profile(struct acd_arena *arena, const struct acd_value *profile, struct acd_account *out)
{
    if (!profile || profile->kind != ACD_MAP)
        return false;
    for (uint32_t i = 0; i < profile->count; i++) {
        const struct acd_member *member = &profile->members[i];
        enum acd_field field = acd_field_find(member->key);

        if (field != ACD_FIELD_COUNT ? !take_field(arena, &member->value, &out->fields[field])
                                     : !acd_slice_is(member->key, acd_column_text(ACD_COLUMN_CUSTOM)) ||
                                           !take_custom(arena, &member->value, out))
            return false;
    }
    return true;
}

static bool take_account(struct acd_arena *arena, const struct acd_value *map, struct acd_account *out)
{
    struct acd_slice type;

    if (!take_string(map, "type", &type) || !take_time(map, "created_at", &out->created_at_ms) ||
        !take_time(map, "updated_at", &out->updated_at_ms))
        return false;
    out->type = acd_slice_is(type, "admin") ? ACD_ADMIN : ACD_GENERAL;
    return (out->type == ACD_ADMIN || acd_slice_is(type, "general")) &&
           take_profile(arena, acd_value_member(map, "profile"), out);
}

const char *acd_changelog_decode(struct acd_arena *arena, struct acd_slice value, struct acd_slice *app,
                                 struct acd_slice *name, struct acd_account *out)
{
    const struct acd_value *deleted;
    struct acd_value map;
    const char *malformed = acd_codec_decode(ACD_ENCODING_JSON, value, arena, &map);

    *out = (struct acd_account){0};
    if (malformed)
        return malformed;
    deleted = acd_value_member(&map, "deleted");
    out->exists = !deleted;
    if (!take_string(&map, "app", app) || !take_string(&map, "account", name) ||
        !take_revision(&map, &out->revision))
        return "app, account or revision is missing";
    if (deleted && (deleted->kind != ACD_BOOL || !deleted->boolean))
        return "deleted is not true";
    return deleted || take_account(arena, &map, out) ? NULL : "it is not an account's record";
}
