/* The members that come after the accounts: how to create, delete, list and export. */
#include "accountd/text.h"
#include "names.h"
#include "reading.h"

static const struct acd_slice on_exists_words[] = {ACD_LITERAL("error"), ACD_LITERAL("update"),
                                                   ACD_LITERAL("skip")};
static const struct acd_slice format_words[] = {ACD_LITERAL("ndjson"), ACD_LITERAL("json"),
                                                ACD_LITERAL("csv"), ACD_LITERAL("msgpack")};
static const struct acd_slice compression_words[] = {ACD_LITERAL("none"), ACD_LITERAL("gzip"),
                                                     ACD_LITERAL("zstd")};
static const struct acd_slice column_words[ACD_COLUMN_COUNT] = {
    [ACD_COLUMN_APP] = ACD_LITERAL("app"),
    [ACD_COLUMN_ACCOUNT] = ACD_LITERAL("account"),
    [ACD_COLUMN_TYPE] = ACD_LITERAL("type"),
    [ACD_COLUMN_REVISION] = ACD_LITERAL("revision"),
    [ACD_COLUMN_CREATED_AT] = ACD_LITERAL("created_at"),
    [ACD_COLUMN_UPDATED_AT] = ACD_LITERAL("updated_at"),
#define X(id, name, kind, max, choices) [ACD_COLUMN_PROFILE + ACD_##id] = ACD_LITERAL(name),
    ACD_FIELDS(X)
#undef X
        [ACD_COLUMN_CUSTOM] = ACD_LITERAL("custom"),
};

const char *acd_format_text(enum acd_format format)
{
    return format_words[format].data;
}

const char *acd_compression_text(enum acd_compression method)
{
    return compression_words[method].data;
}

const char *acd_column_text(enum acd_column column)
{
    return column_words[column].data;
}

/* The place of a member's value among the words; 0, the default, when it is absent or was blamed. */
static unsigned read_word(struct acd_reading *reading, enum acd_member_id member,
                          const struct acd_slice *words, size_t count)
{
    const struct acd_value *value = acd_reading_root(reading, member);
    struct acd_path path = acd_path_member(NULL, acd_member_name(member));
    int place = value ? acd_blame_unless_word(&reading->blame, &path, value, words, count) : 0;

    return place < 0 ? 0 : (unsigned)place;
}

/* A boolean member; false when it is absent or was blamed. */
static bool read_flag(struct acd_reading *reading, enum acd_member_id member)
{
    const struct acd_value *value = acd_reading_root(reading, member);
    struct acd_path path = acd_path_member(NULL, acd_member_name(member));

    if (!value)
        return false;
    if (value->kind == ACD_BOOL)
        return value->boolean;
    acd_blame_value(&reading->blame, &path, value, "true or false");
    return false;
}

static void read_confirm(struct acd_reading *reading)
{
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_CONFIRM));
    bool confirmed = read_flag(reading, ACD_MEMBER_CONFIRM);

    if (reading->command->op == ACD_DELETE && reading->command->many && !confirmed)
        acd_blame_add(&reading->blame, ACD_CONFIRMATION_REQUIRED, &path,
                      "a delete with accounts needs confirm: true");
}

static void read_limit(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_LIMIT);
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_LIMIT));
    int64_t limit = ACD_LIST_DEFAULT;

    if (value && (!acd_value_integer(value, &limit) || limit < 1 || limit > ACD_LIST_MAX))
        acd_blame_value(&reading->blame, &path, value, "an integer from 1 to 1000");
    reading->command->list_limit = limit;
}

static void read_after(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_AFTER);
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_AFTER));
    struct acd_command *command = reading->command;

    if (!value)
        return;
    command->list_from_cursor = value->kind == ACD_STRING &&
                                acd_cursor_read(value->string, reading->arena, &command->cursor_created_at_ms,
                                                &command->cursor_account);
    if (!command->list_from_cursor)
        acd_blame_value(&reading->blame, &path, value, "the next of an earlier reply");
}

static void read_every(struct acd_reading *reading)
{
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_EVERY));

    bool named =
        acd_reading_root(reading, ACD_MEMBER_ACCOUNT) || acd_reading_root(reading, ACD_MEMBER_ACCOUNTS);

    reading->command->every = read_flag(reading, ACD_MEMBER_EVERY);
    if (reading->command->every && named)
        acd_blame_add(&reading->blame, ACD_INVALID_FIELD, &path,
                      "all is given beside account or accounts; one of the three is allowed");
}

static void read_column(struct acd_reading *reading, const struct acd_path *path,
                        const struct acd_value *value, uint64_t *seen)
{
    struct acd_command *command = reading->command;
    int column = acd_blame_unless_word(&reading->blame, path, value, column_words, ACD_COLUMN_COUNT);

    if (column < 0)
        return;
    if (*seen & UINT64_C(1) << column) {
        acd_blame_add(&reading->blame, ACD_INVALID_FIELD, path, "fields names %s twice",
                      column_words[column].data);
        return;
    }
    *seen |= UINT64_C(1) << column;
    command->columns[command->column_count++] = (uint8_t)column;
}

static void read_columns(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_FIELDS);
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_FIELDS));
    struct acd_command *command = reading->command;
    uint64_t seen = 0;

    if (!value) {
        for (uint8_t column = 0; column < ACD_COLUMN_COUNT; column++)
            command->columns[column] = column;
        command->column_count = ACD_COLUMN_COUNT;
        return;
    }
    if (value->kind != ACD_ARRAY || value->count == 0) {
        acd_blame_value(&reading->blame, &path, value,
                        "an array of at least one name of a record's or a profile's field");
        return;
    }
    for (uint32_t i = 0; i < value->count; i++) {
        struct acd_path at = acd_path_item(&path, i);

        read_column(reading, &at, &value->items[i], &seen);
    }
}

void acd_blame_unless_every(struct acd_reading *reading, enum acd_member_id member)
{
    struct acd_slice name = acd_member_name(member);
    struct acd_path path = acd_path_member(NULL, name);

    if (acd_reading_root(reading, member) && !acd_reading_root(reading, ACD_MEMBER_EVERY))
        acd_blame_add(&reading->blame, ACD_INVALID_FIELD, &path,
                      "%.*s chooses among all: true, which is not there", ACD_SLICE_ARGS(name));
}

/* A time as replies write it; `otherwise` when it is absent or was blamed. */
static int64_t read_time(struct acd_reading *reading, enum acd_member_id member, int64_t otherwise)
{
    const struct acd_value *value = acd_reading_root(reading, member);
    struct acd_path path = acd_path_member(NULL, acd_member_name(member));
    int64_t ms;

    acd_blame_unless_every(reading, member);
    if (!value || (value->kind == ACD_STRING && acd_time_parse(value->string, &ms)))
        return value ? ms : otherwise;
    acd_blame_value(&reading->blame, &path, value, "a time like 2026-11-22T20:09:08.123Z");
    return otherwise;
}

bool acd_command_chooses(const struct acd_command *command, const struct acd_account *account)
{
    return (command->type == ACD_TYPE_UNSET || account->type == command->type) &&
           account->created_at_ms >= command->created_after_ms &&
           account->created_at_ms < command->created_before_ms &&
           account->updated_at_ms >= command->updated_after_ms;
}

void acd_read_options(struct acd_reading *reading)
{
    struct acd_command *command = reading->command;

    command->on_exists = (enum acd_on_exists)read_word(reading, ACD_MEMBER_ON_EXISTS, on_exists_words, 3);
    read_confirm(reading);
    command->dry_run = read_flag(reading, ACD_MEMBER_DRY_RUN);
    read_limit(reading);
    read_after(reading);
    if (command->op != ACD_EXPORT)
        return;
    read_every(reading);
    command->format = (enum acd_format)read_word(reading, ACD_MEMBER_FORMAT, format_words, 4);
    read_columns(reading);
    command->compression =
        (enum acd_compression)read_word(reading, ACD_MEMBER_COMPRESSION, compression_words, 3);
    command->created_after_ms = read_time(reading, ACD_MEMBER_CREATED_AFTER, INT64_MIN);
    command->created_before_ms = read_time(reading, ACD_MEMBER_CREATED_BEFORE, INT64_MAX);
    command->updated_after_ms = read_time(reading, ACD_MEMBER_UPDATED_AFTER, INT64_MIN);
}
