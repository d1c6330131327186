/* A profile map as a change: every field checked by its rule in the field table. */
#include "accountd/buffer.h"
#include "accountd/text.h"
#include "names.h"
#include "reading.h"

/* More than any field of the table has. */
#define CHOICES_MAX 8

static void blame_length(struct acd_blame *blame, const struct acd_path *path, size_t len, size_t max)
{
    acd_blame_add(blame, ACD_INVALID_FIELD, path, "%.*s is %zu bytes; at most %zu are allowed",
                  ACD_SLICE_ARGS(path->key), len, max);
}

/* Text of at most max bytes without control characters. */
static bool check_text(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                       size_t max, bool allow_newline_and_tab)
{
    if (value->kind != ACD_STRING) {
        acd_blame_value(blame, path, value, "a string");
        return false;
    }
    if (value->string.len > max) {
        blame_length(blame, path, value->string.len, max);
        return false;
    }
    if (acd_text_has_control(value->string, allow_newline_and_tab)) {
        acd_blame_add(blame, ACD_INVALID_FIELD, path, "%.*s holds a control character; %s allowed",
                      ACD_SLICE_ARGS(path->key),
                      allow_newline_and_tab ? "of these only newline and tab are" : "none is");
        return false;
    }
    return true;
}

/* ^https?://(?![/?#])[!-~]+$ */
static bool is_url(struct acd_slice text)
{
    static const struct acd_slice schemes[] = {ACD_LITERAL("http://"), ACD_LITERAL("https://")};
    const struct acd_slice *scheme = &schemes[text.len > 4 && text.data[4] == 's'];

    if (text.len <= scheme->len || memcmp(text.data, scheme->data, scheme->len) != 0)
        return false;
    if (memchr("/?#", text.data[scheme->len], 3))
        return false;
    for (size_t i = scheme->len; i < text.len; i++) {
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    }
    return true;
}

static bool check_url(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                      size_t max)
{
    if (value->kind == ACD_STRING && value->string.len > max) {
        blame_length(blame, path, value->string.len, max);
        return false;
    }
    if (value->kind == ACD_STRING && is_url(value->string))
        return true;
    acd_blame_value(blame, path, value,
                    "http:// or https://, a host, and only printable ASCII without blanks");
    return false;
}

static bool check_choice(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                         const char *choices)
{
    struct acd_slice words[CHOICES_MAX];
    size_t count = 0;

    while (*choices) {
        size_t len = strcspn(choices, " ");

        words[count++] = acd_slice(choices, len);
        choices += len + (choices[len] == ' ');
    }
    return acd_blame_unless_word(blame, path, value, words, count) >= 0;
}

/* The number of n digits, or -1. */
static int digits(const char *text, int n)
{
    int number = 0;

    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static bool is_date(struct acd_slice text)
{
    return text.len == 10 && text.data[4] == '-' && text.data[7] == '-' &&
           acd_date_valid(digits(text.data, 4), digits(text.data + 5, 2), digits(text.data + 8, 2));
}

static bool check_date(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value)
{
    if (value->kind == ACD_STRING && is_date(value->string))
        return true;
    acd_blame_value(blame, path, value, "a date that the calendar has, as YYYY-MM-DD");
    return false;
}

static bool check_uint32(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                         struct acd_slice *out)
{
    int64_t number;

    if (!acd_value_integer(value, &number) || number < 0 || number > UINT32_MAX) {
        acd_blame_value(blame, path, value, "an integer from 0 to 4294967295");
        return false;
    }
    *out = acd_buffer_int(blame->arena, number);
    return true;
}

/* True when the value is one for the field; its text is then in `out`. */
static bool check_field(struct acd_blame *blame, const struct acd_path *profile_path, enum acd_field field,
                        const struct acd_value *value, struct acd_slice *out)
{
    const struct acd_field_rule *rule = &acd_field_rules[field];
    struct acd_path path = acd_path_member(profile_path, acd_slice_str(rule->name));
    bool good = false;

    switch (rule->kind) {
    case ACD_FIELD_TEXT:
        good = check_text(blame, &path, value, rule->max, field == ACD_SIGNATURE);
        break;
    case ACD_FIELD_URL:
        good = check_url(blame, &path, value, rule->max);
        break;
    case ACD_FIELD_ENUM:
        good = check_choice(blame, &path, value, rule->choices);
        break;
    case ACD_FIELD_DATE:
        good = check_date(blame, &path, value);
        break;
    case ACD_FIELD_UINT32:
        return check_uint32(blame, &path, value, out);
    }
    if (good)
        *out = value->string;
    return good;
}

/* Null and the empty string both say: no value. */
static bool says_nothing(const struct acd_value *value)
{
    return value->kind == ACD_NULL || (value->kind == ACD_STRING && value->string.len == 0);
}

/* Puts a field where byte order wants it; there are few. */
static void insert_by_tag(struct acd_custom *custom, uint32_t count, struct acd_custom added)
{
    uint32_t at = count;

    while (at > 0 && acd_slice_compare(custom[at - 1].tag, added.tag) > 0) {
        custom[at] = custom[at - 1];
        at--;
    }
    custom[at] = added;
}

static void read_custom(struct acd_reading *reading, const struct acd_path *profile_path,
                        const struct acd_value *value, struct acd_change *change)
{
    struct acd_path path = acd_path_member(profile_path, acd_slice_str("custom"));
    struct acd_blame *blame = &reading->blame;
    struct acd_custom *custom;

    if (says_nothing(value)) {
        change->custom_clear = true;
        return;
    }
    if (value->kind != ACD_MAP) {
        acd_blame_value(blame, &path, value, "a map of custom fields, or null");
        return;
    }
    if (value->count > ACD_CUSTOM_MAX) {
        acd_blame_add(blame, ACD_INVALID_FIELD, &path, "custom has %u fields; at most %d are allowed",
                      value->count, ACD_CUSTOM_MAX);
        return;
    }
    custom = acd_arena_alloc(reading->arena, value->count * sizeof(*custom));
    for (uint32_t i = 0; i < value->count; i++) {
        const struct acd_member *member = &value->members[i];
        struct acd_path at = acd_path_member(&path, member->key);
        struct acd_custom added = {.tag = member->key};

        if (!acd_name_is_custom_tag(member->key)) {
            struct acd_slice excerpt = acd_blame_excerpt(blame, member->key);

            acd_blame_add(blame, ACD_INVALID_FIELD, &at,
                          "'%.*s' is no name of a custom field; it must be 1 to %d letters A-Z a-z",
                          ACD_SLICE_ARGS(excerpt), ACD_CUSTOM_TAG_MAX);
            continue;
        }
        if (!says_nothing(&member->value)) {
            if (!check_text(blame, &at, &member->value, ACD_CUSTOM_VALUE_MAX, false))
                continue;
            added.value = member->value.string;
        }
        insert_by_tag(custom, change->custom_count++, added);
    }
    change->custom = custom;
}

const struct acd_change *acd_read_profile(struct acd_reading *reading, const struct acd_path *path,
                                          const struct acd_value *value,
                                          const struct acd_found_profile *found)
{
    struct acd_change *change;

    if (value->kind != ACD_MAP) {
        acd_blame_value(&reading->blame, path, value, "a map of profile fields");
        return NULL;
    }
    change = acd_arena_calloc(reading->arena, 1, sizeof(*change));
    for (unsigned field = 0; field < ACD_FIELD_COUNT; field++) {
        if (!found->at[field])
            continue;
        if (says_nothing(found->at[field]))
            change->clear |= 1U << field;
        else if (check_field(&reading->blame, path, (enum acd_field)field, found->at[field],
                             &change->values[field]))
            change->set |= 1U << field;
    }
    if (found->at[ACD_PROFILE_CUSTOM])
        read_custom(reading, path, found->at[ACD_PROFILE_CUSTOM], change);
    return change;
}
