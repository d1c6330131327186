/* Accounts as records: in replies, exports and the changelog. */
#include "accountd/reply.h"
#include "accountd/text.h"

/* Not in the table of columns, because a column names what the profile holds. */
#define PROFILE "profile"

static uint32_t bit(uint32_t column)
{
    return UINT32_C(1) << column;
}

/* The profile's columns; those before them are the record's own. */
#define KEEP_OWN     ((UINT32_C(1) << ACD_COLUMN_PROFILE) - 1)
#define KEEP_PROFILE (ACD_KEEP_ALL & ~KEEP_OWN)

static uint32_t count_bits(uint32_t mask)
{
    return (uint32_t)__builtin_popcount(mask);
}

void acd_custom_write(struct acd_writer *writer, const struct acd_account *account)
{
    acd_writer_map(writer, account->custom_count);
    for (uint32_t i = 0; i < account->custom_count; i++) {
        acd_writer_key_slice(writer, account->custom[i].tag);
        acd_writer_string(writer, account->custom[i].value);
    }
    acd_writer_end(writer);
}

static void write_field(struct acd_writer *writer, enum acd_field_kind kind, struct acd_slice text)
{
    int64_t number;

    /* Redis may have been written by others: what is no number is shown as it is. */
    if (kind == ACD_FIELD_UINT32 && acd_int_parse(text, &number))
        acd_writer_int(writer, number);
    else
        acd_writer_string(writer, text);
}

static void write_profile(struct acd_writer *writer, const struct acd_account *account, uint32_t keep)
{
    uint32_t set = account->custom_count ? bit(ACD_COLUMN_CUSTOM) : 0;

    for (uint32_t f = 0; f < ACD_FIELD_COUNT; f++)
        if (account->fields[f].len)
            set |= bit(ACD_COLUMN_PROFILE + f);
    set &= keep;

    acd_writer_map(writer, count_bits(set));
    for (uint32_t f = 0; f < ACD_FIELD_COUNT; f++) {
        if (set & bit(ACD_COLUMN_PROFILE + f)) {
            acd_writer_key(writer, acd_field_rules[f].name);
            write_field(writer, acd_field_rules[f].kind, account->fields[f]);
        }
    }
    if (set & bit(ACD_COLUMN_CUSTOM)) {
        acd_writer_key(writer, acd_column_text(ACD_COLUMN_CUSTOM));
        acd_custom_write(writer, account);
    }
    acd_writer_end(writer);
}

static void write_own(struct acd_writer *writer, enum acd_column column, struct acd_slice app,
                      struct acd_slice name, const struct acd_account *account)
{
    switch (column) {
    case ACD_COLUMN_APP:
        acd_writer_string(writer, app);
        break;
    case ACD_COLUMN_ACCOUNT:
        acd_writer_string(writer, name);
        break;
    case ACD_COLUMN_TYPE:
        acd_writer_str(writer, acd_type_text(account->type));
        break;
    case ACD_COLUMN_REVISION:
        acd_writer_int(writer, account->revision);
        break;
    case ACD_COLUMN_CREATED_AT:
        acd_writer_time(writer, account->created_at_ms);
        break;
    default:
        acd_writer_time(writer, account->updated_at_ms);
        break;
    }
}

void acd_record_write_kept(struct acd_writer *writer, struct acd_slice app, struct acd_slice name,
                           const struct acd_account *account, uint32_t keep)
{
    acd_writer_map(writer, count_bits(keep & KEEP_OWN) + (keep & KEEP_PROFILE ? 1 : 0));
    for (enum acd_column column = 0; column < ACD_COLUMN_PROFILE; column++) {
        if (keep & bit(column)) {
            acd_writer_key(writer, acd_column_text(column));
            write_own(writer, column, app, name, account);
        }
    }
    if (keep & KEEP_PROFILE) {
        acd_writer_key(writer, PROFILE);
        write_profile(writer, account, keep);
    }
    acd_writer_end(writer);
}

void acd_record_write(struct acd_writer *writer, struct acd_slice app, struct acd_slice name,
                      const struct acd_account *account)
{
    acd_record_write_kept(writer, app, name, account, ACD_KEEP_ALL);
}
