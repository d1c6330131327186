/* A record becomes a command for one account, which the core reads, and what it read is written out. */
#include "record.h"

#include "accountd/codec.h"
#include "accountd/text.h"

bool acd_ctl_is_ignored(struct acd_slice name)
{
    static const char *const ignored[] = {"app", "revision", "created_at", "updated_at", ACD_CTL_REJECTED};

    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        if (acd_slice_is(name, ignored[i]))
            return true;
    return false;
}

void acd_ctl_entry_refuse(struct acd_ctl_entry *out, enum acd_code code, const char *field,
                          const char *message)
{
    out->json = acd_slice(NULL, 0);
    out->refusal = (struct acd_refusal){code, acd_slice_str(field), acd_slice_str(message), 0};
}

static struct acd_value text_value(struct acd_slice text)
{
    return (struct acd_value){.kind = ACD_STRING, .string = text};
}

/* True for a member that the command gets; one that has no place there is refused. */
static bool takes(struct acd_arena *arena, const struct acd_member *member, struct acd_ctl_entry *out)
{
    /* null is as if absent, under any name */
    if (acd_ctl_is_ignored(member->key) || member->value.kind == ACD_NULL)
        return false;
    if (acd_slice_is(member->key, "account") || acd_slice_is(member->key, "type") ||
        acd_slice_is(member->key, "profile"))
        return true;
    if (out->refusal.code == ACD_OK) {
        out->refusal.code = ACD_UNKNOWN_FIELD;
        out->refusal.field = acd_slice(member->key.data, acd_utf8_cut(member->key, ACD_PATH_MAX));
        out->refusal.message =
            acd_arena_format(arena, "%.*s is no field of a record", ACD_SLICE_ARGS(out->refusal.field));
    }
    return false;
}

static void write_custom(struct acd_writer *writer, const struct acd_change *change)
{
    acd_writer_key(writer, "custom");
    if (change->custom_clear) {
        acd_writer_null(writer);
        return;
    }
    acd_writer_map(writer, change->custom_count);
    for (uint32_t i = 0; i < change->custom_count; i++) {
        acd_writer_key_slice(writer, change->custom[i].tag);
        acd_writer_string(writer, change->custom[i].value);
    }
    acd_writer_end(writer);
}

static void write_field(struct acd_writer *writer, const struct acd_change *change, unsigned field)
{
    const struct acd_field_rule *rule = &acd_field_rules[field];
    int64_t number = 0;

    acd_writer_key(writer, rule->name);
    if (change->clear & 1u << field) {
        acd_writer_null(writer);
    } else if (rule->kind == ACD_FIELD_UINT32 && acd_int_parse(change->values[field], &number)) {
        acd_writer_int(writer, number);
    } else {
        acd_writer_string(writer, change->values[field]);
    }
}

static void write_profile(struct acd_writer *writer, const struct acd_change *change)
{
    bool custom = change->custom_clear || change->custom_count;

    acd_writer_key(writer, "profile");
    acd_writer_map(writer, (uint32_t)__builtin_popcount(change->set | change->clear) + (custom ? 1 : 0));
    for (unsigned field = 0; field < ACD_FIELD_COUNT; field++)
        if ((change->set | change->clear) & 1u << field)
            write_field(writer, change, field);
    if (custom)
        write_custom(writer, change);
    acd_writer_end(writer);
}

/* As an item of the command's `accounts`. */
static struct acd_slice write_entry(struct acd_arena *arena, const struct acd_target *target)
{
    struct acd_writer writer;

    acd_writer_init(&writer, ACD_ENCODING_JSON, arena);
    acd_writer_map(&writer, 1u + (target->type != ACD_TYPE_UNSET) + (target->change != NULL));
    acd_writer_key(&writer, "account");
    acd_writer_string(&writer, target->account);
    if (target->type != ACD_TYPE_UNSET) {
        acd_writer_key(&writer, "type");
        acd_writer_str(&writer, acd_type_text(target->type));
    }
    if (target->change)
        write_profile(&writer, target->change);
    acd_writer_end(&writer);
    return acd_buffer_slice(&writer.buffer);
}

void acd_ctl_entry_read(struct acd_arena *arena, struct acd_slice app, const struct acd_value *record,
                        struct acd_ctl_entry *out)
{
    static const struct acd_policy anything = {0};
    struct acd_member *members = acd_arena_calloc(arena, record->count + 2u, sizeof(*members));
    struct acd_value command = {.kind = ACD_MAP, .members = members};
    struct acd_refusal strange;
    struct acd_command read;

    *out = (struct acd_ctl_entry){0};
    members[command.count++] =
        (struct acd_member){acd_slice_str("op"), text_value(acd_slice_str(acd_op_text(ACD_CREATE)))};
    members[command.count++] = (struct acd_member){acd_slice_str("app"), text_value(app)};
    for (uint32_t i = 0; i < record->count; i++)
        if (takes(arena, &record->members[i], out))
            members[command.count++] = record->members[i];
    strange = out->refusal;
    out->refusal = acd_command_read(&command, &anything, NULL, arena, &read);
    out->account = read.account;
    /* As in a command: what is unknown comes before what is wrong, and after what is missing. */
    if (strange.code != ACD_OK && out->refusal.code != ACD_MISSING_FIELD)
        out->refusal = strange;
    if (out->refusal.code == ACD_OK)
        out->json = write_entry(arena, &read.targets[0]);
}

void acd_ctl_entry_decode(struct acd_arena *arena, struct acd_slice app, enum acd_format format,
                          struct acd_slice bytes, struct acd_ctl_entry *out)
{
    struct acd_value record;
    const char *wrong = acd_codec_decode(format == ACD_MSGPACK ? ACD_ENCODING_MSGPACK : ACD_ENCODING_JSON,
                                         bytes, arena, &record);

    *out = (struct acd_ctl_entry){0};
    if (wrong)
        acd_ctl_entry_refuse(out, ACD_MALFORMED, NULL, wrong);
    else
        acd_ctl_entry_read(arena, app, &record, out);
}
