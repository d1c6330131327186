/* Cells, then what the header makes of them. */
#include "csv.h"

#include <strings.h>

#include "accountd/codec.h"
#include "accountd/text.h"

/* What the console calls the fields, beside the names that they have everywhere. */
static const struct {
    const char *label;
    enum acd_column column;
} labels[] = {
    {"Profile photo", ACD_COLUMN_PROFILE + ACD_AVATAR_URL},
    {"Birth date", ACD_COLUMN_PROFILE + ACD_BIRTHDAY},
    {"What's Up", ACD_COLUMN_PROFILE + ACD_SIGNATURE},
    {"Friend request verification", ACD_COLUMN_PROFILE + ACD_ALLOW_TYPE},
    {"Message settings", ACD_COLUMN_PROFILE + ACD_MESSAGE_SETTINGS},
    {"Friending", ACD_COLUMN_PROFILE + ACD_ADMIN_FORBID},
    {"Custom fields", ACD_COLUMN_CUSTOM},
};

#define CUSTOM_PREFIX "custom."

/* Takes one cell off the row, which is written over. -1: text follows its quotes. */
static int take_cell(char **at, char *end, struct acd_slice *cell)
{
    char *from = *at;
    char *to = from;

    if (from < end && *from == '"') {
        cell->data = to;
        for (from++; from < end; from++) {
            if (*from == '"' && (from + 1 == end || from[1] != '"'))
                break;
            from += *from == '"';
            *to++ = *from;
        }
        from += from < end;
        if (from < end && *from != ',')
            return -1;
    } else {
        while (to < end && *to != ',')
            to++;
        from = to;
    }
    *cell = acd_slice(*at, (size_t)(to - *at));
    *at = from;
    return 0;
}

int acd_ctl_csv_cells(char *row, size_t len, struct acd_slice *cells, uint32_t max)
{
    char *end = row + len;
    uint32_t count = 0;

    for (;;) {
        struct acd_slice cell;

        if (take_cell(&row, end, &cell))
            return -1;
        if (count < max)
            cells[count] = cell;
        count++;
        if (row == end)
            return (int)count;
        row++;
    }
}

static bool is_titled(struct acd_slice title, const char *name)
{
    return title.len == strlen(name) && strncasecmp(title.data, name, title.len) == 0;
}

static enum acd_column find_column(struct acd_slice title)
{
    unsigned column = 0;

    for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
        if (is_titled(title, labels[i].label))
            return labels[i].column;
    while (column < ACD_COLUMN_COUNT && !is_titled(title, acd_column_text((enum acd_column)column)))
        column++;
    return (enum acd_column)column;
}

static struct acd_slice trim(struct acd_slice text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = acd_slice(text.data + 1, text.len - 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool begins_with(struct acd_slice text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && strncasecmp(text.data, prefix, len) == 0;
}

/* Returns NULL, or what is wrong with a title. */
static const char *read_title(struct acd_ctl_csv *csv, uint32_t index)
{
    struct acd_slice title = trim(csv->columns[index].title);
    enum acd_column column = find_column(title);
    struct acd_slice custom = {0};

    if (begins_with(title, ACD_CTL_REJECTED "_")) {
        csv->columns[index].rejected = true;
    } else if (column == ACD_COLUMN_COUNT && begins_with(title, CUSTOM_PREFIX)) {
        custom = acd_slice(title.data + strlen(CUSTOM_PREFIX), title.len - strlen(CUSTOM_PREFIX));
    } else if (column == ACD_COLUMN_COUNT) {
        return "is no field (columns are separated by commas, and the first row names them)";
    }
    csv->columns[index].column = column;
    csv->columns[index].custom = custom;
    for (uint32_t i = 0; i < index; i++)
        if ((column != ACD_COLUMN_COUNT && csv->columns[i].column == column) ||
            (custom.len && acd_slice_equal(csv->columns[i].custom, custom)))
            return "is there twice";
    return NULL;
}

static bool has_column(const struct acd_ctl_csv *csv, enum acd_column column)
{
    for (uint32_t i = 0; i < csv->count; i++)
        if (csv->columns[i].column == column)
            return true;
    return false;
}

const char *acd_ctl_csv_header(struct acd_ctl_csv *csv, struct acd_arena *arena, struct acd_slice row)
{
    static struct acd_slice cells[ACD_CTL_COLUMNS_MAX];
    struct acd_slice copy = acd_arena_copy(arena, row);
    int count = acd_utf8_valid(row)
                    ? acd_ctl_csv_cells((char *)(uintptr_t)copy.data, copy.len, cells, ACD_CTL_COLUMNS_MAX)
                    : -1;

    memset(csv, 0, sizeof(*csv));
    if (count < 0)
        return "the first row is no CSV in UTF-8";
    if (count > ACD_CTL_COLUMNS_MAX)
        return acd_arena_format(arena, "the first row has %d columns; at most %d are read", count,
                                ACD_CTL_COLUMNS_MAX)
            .data;
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        const char *wrong;

        csv->columns[i].title = cells[i];
        csv->count = i + 1;
        wrong = read_title(csv, i);
        if (wrong)
            return acd_arena_format(arena, "column \"%.*s\" %s", (int)acd_utf8_cut(cells[i], 64),
                                    cells[i].data, wrong)
                .data;
    }
    return has_column(csv, ACD_COLUMN_ACCOUNT) ? NULL : "the first row names no column account";
}

/* An export puts a quote before these, and so before its own quote, too. */
static struct acd_slice unguard(struct acd_slice cell)
{
    if (cell.len > 1 && cell.data[0] == '\'' && memchr("=+-@'\t\n", cell.data[1], 7))
        return acd_slice(cell.data + 1, cell.len - 1);
    return cell;
}

/* The members of a record that a row makes. */
struct row {
    struct acd_arena *arena;
    struct acd_member *root;
    struct acd_member *profile;
    struct acd_member *custom;
    uint32_t root_count;
    uint32_t profile_count;
    uint32_t custom_count;
    const char *wrong; /* with the cell of `custom` */
};

static struct acd_value cell_value(enum acd_column column, struct acd_slice cell)
{
    struct acd_value value = {.kind = ACD_STRING, .string = cell};
    unsigned field = (unsigned)column - ACD_COLUMN_PROFILE;
    int64_t number;

    /* What is no number is refused as the text that it is. */
    if (column >= ACD_COLUMN_PROFILE && field < ACD_FIELD_COUNT &&
        acd_field_rules[field].kind == ACD_FIELD_UINT32 && acd_int_parse(cell, &number))
        value = (struct acd_value){.kind = ACD_INT, .integer = number};
    return value;
}

static void add_custom(struct row *row, struct acd_slice name, struct acd_value value)
{
    row->custom[row->custom_count++] = (struct acd_member){name, value};
}

/* The whole map; a column of one field beside it would be a name twice, unless the map lacks it. */
static void add_map(struct row *row, struct acd_slice cell)
{
    struct acd_value map;
    struct acd_member *wider;

    row->wrong = acd_codec_decode(ACD_ENCODING_JSON, cell, row->arena, &map);
    if (row->wrong)
        return;
    wider = acd_arena_calloc(row->arena, map.count + row->custom_count + ACD_CTL_COLUMNS_MAX, sizeof(*wider));
    if (row->custom_count)
        memcpy(wider, row->custom, row->custom_count * sizeof(*wider));
    row->custom = wider;
    for (uint32_t i = 0; i < map.count; i++)
        add_custom(row, map.members[i].key, map.members[i].value);
}

static void add_cell(struct row *row, const struct acd_ctl_csv *csv, uint32_t index, struct acd_slice cell)
{
    enum acd_column column = csv->columns[index].column;
    struct acd_slice name =
        column == ACD_COLUMN_COUNT ? csv->columns[index].custom : acd_slice_str(acd_column_text(column));
    struct acd_member member = {name, cell_value(column, cell)};

    if (cell.len == 0)
        return;
    if (column == ACD_COLUMN_COUNT && name.len)
        add_custom(row, name, member.value);
    else if (column == ACD_COLUMN_COUNT || acd_ctl_is_ignored(name))
        return;
    else if (column == ACD_COLUMN_CUSTOM)
        add_map(row, cell);
    else if (column >= ACD_COLUMN_PROFILE)
        row->profile[row->profile_count++] = member;
    else
        row->root[row->root_count++] = member;
}

static struct acd_value map_of(const struct acd_member *members, uint32_t count)
{
    return (struct acd_value){.kind = ACD_MAP, .count = count, .members = members};
}

static bool custom_twice(const struct row *row)
{
    for (uint32_t i = 1; i < row->custom_count; i++)
        for (uint32_t j = 0; j < i && i < 2 * ACD_CTL_COLUMNS_MAX; j++)
            if (acd_slice_equal(row->custom[i].key, row->custom[j].key))
                return true;
    return false;
}

static void read_row(struct row *row, struct acd_slice app, struct acd_ctl_entry *out)
{
    struct acd_value record;

    if (row->custom_count)
        row->profile[row->profile_count++] =
            (struct acd_member){acd_slice_str("custom"), map_of(row->custom, row->custom_count)};
    if (row->profile_count)
        row->root[row->root_count++] =
            (struct acd_member){acd_slice_str("profile"), map_of(row->profile, row->profile_count)};
    record = map_of(row->root, row->root_count);
    acd_ctl_entry_read(row->arena, app, &record, out);
    if (row->wrong)
        acd_ctl_entry_refuse(out, ACD_MALFORMED, "profile.custom", row->wrong);
    else if (custom_twice(row))
        acd_ctl_entry_refuse(out, ACD_MALFORMED, "profile.custom", "a custom field comes twice");
}

void acd_ctl_csv_row(const struct acd_ctl_csv *csv, struct acd_arena *arena, struct acd_slice app,
                     struct acd_slice bytes, struct acd_ctl_entry *out)
{
    struct acd_slice copy = acd_arena_copy(arena, bytes);
    struct acd_slice *cells = acd_arena_calloc(arena, csv->count, sizeof(*cells));
    struct row row = {.arena = arena,
                      .root = acd_arena_calloc(arena, ACD_COLUMN_COUNT, sizeof(*row.root)),
                      .profile = acd_arena_calloc(arena, ACD_COLUMN_COUNT, sizeof(*row.profile)),
                      .custom = acd_arena_calloc(arena, csv->count, sizeof(*row.custom))};
    int count;

    *out = (struct acd_ctl_entry){0};
    if (!acd_utf8_valid(bytes)) {
        acd_ctl_entry_refuse(out, ACD_MALFORMED, NULL, "the row is not UTF-8");
        return;
    }
    count = acd_ctl_csv_cells((char *)(uintptr_t)copy.data, copy.len, cells, csv->count);
    if (count < 0 || (uint32_t)count > csv->count) {
        acd_ctl_entry_refuse(out, ACD_MALFORMED, NULL,
                             count < 0 ? "text follows the quotes of a cell"
                                       : "the row has more cells than the first row has columns");
        return;
    }
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        add_cell(&row, csv, i, unguard(cells[i]));
    read_row(&row, app, out);
}
