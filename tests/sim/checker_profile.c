/* Profiles: the rules of their fields, and merging. Each different profile has a number, so that accounts are
 * compared by numbers. */
#include <stdlib.h>

#include "checker.h"

#define CUSTOM_MAX 20

enum kind { TEXT, LINES, URL, CHOICE, DATE, NUMBER };

static const struct rule {
    const char *name;
    enum kind kind;
    size_t max;
    const char *choices[4];
} rules[] = {
    {"nickname", TEXT, 500, {NULL}},
    {"avatar_url", URL, 500, {NULL}},
    {"gender", CHOICE, 0, {"unknown", "female", "male", NULL}},
    {"birthday", DATE, 0, {NULL}},
    {"location", TEXT, 16, {NULL}},
    {"signature", LINES, 500, {NULL}},
    {"allow_type", CHOICE, 0, {"need_confirm", "allow_any", "deny_any", NULL}},
    {"language", NUMBER, 0, {NULL}},
    {"message_settings", NUMBER, 0, {NULL}},
    {"admin_forbid", CHOICE, 0, {"none", "send_out", NULL}},
    {"level", NUMBER, 0, {NULL}},
    {"role", NUMBER, 0, {NULL}},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static bool is_text(const json_t *value, size_t max, bool lines)
{
    const unsigned char *bytes = (const unsigned char *)json_string_value(value);
    size_t len = json_string_length(value);

    if (!json_is_string(value) || len > max)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((bytes[i] < 0x20 && !(lines && (bytes[i] == '\n' || bytes[i] == '\t'))) || bytes[i] == 0x7f)
            return false;
        if (bytes[i] == 0xc2 && i + 1 < len && bytes[i + 1] < 0xa0)
            return false;
    }
    return true;
}

static bool is_url(const json_t *value)
{
    const char *rest;

    if (!is_text(value, 500, false) || strncmp(json_string_value(value), "http", 4) != 0)
        return false;
    rest = json_string_value(value) + 4;
    rest += *rest == 's';
    if (strncmp(rest, "://", 3) != 0 || !rest[3] || strchr("/?#", rest[3]))
        return false;
    for (rest += 3; *rest; rest++)
        if (*rest < '!' || *rest > '~')
            return false;
    return true;
}

static bool is_date(const json_t *value)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *text = json_string_value(value);
    int year, month, day;

    if (!is_text(value, 10, false) || strlen(text) != 10)
        return false;
    for (int i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
            return false;
    year = atoi(text);
    month = atoi(text + 5);
    day = atoi(text + 8);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static bool is_number(const json_t *value)
{
    double number = json_number_value(value);

    return json_is_number(value) && number >= 0 && number <= UINT32_MAX && number == (double)(int64_t)number;
}

static bool is_choice(const json_t *value, const char *const *choices)
{
    for (; json_is_string(value) && *choices; choices++)
        if (strcmp(json_string_value(value), *choices) == 0)
            return true;
    return false;
}

static bool removes(const json_t *value)
{
    return json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0);
}

static bool is_good(const struct rule *rule, const json_t *value)
{
    if (removes(value))
        return true;
    switch (rule->kind) {
    case TEXT:
    case LINES:
        return is_text(value, rule->max, rule->kind == LINES);
    case URL:
        return is_url(value);
    case CHOICE:
        return is_choice(value, rule->choices);
    case DATE:
        return is_date(value);
    default:
        return is_number(value);
    }
}

static bool is_tag(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= 8 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;
}

static const char *check_custom(struct check *check, const char *path, const json_t *custom,
                                const char **field)
{
    const char *tag;
    json_t *value;

    *field = acd_arena_format(check->arena, "%s.custom", path).data;
    if (removes(custom))
        return NULL;
    if (!json_is_object(custom) || json_object_size(custom) > CUSTOM_MAX)
        return "invalid_field";
    json_object_foreach((json_t *)(uintptr_t)custom, tag, value)
    {
        if (!is_tag(tag) || (!removes(value) && !is_text(value, 500, false))) {
            *field = acd_arena_format(check->arena, "%s.custom.%s", path, tag).data;
            return "invalid_field";
        }
    }
    return NULL;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].name, name) == 0)
            return true;
    return strcmp(name, "custom") == 0;
}

const char *check_profile(struct check *check, const char *path, const json_t *profile, const char **field)
{
    const char *name;
    json_t *value;

    *field = path;
    if (!json_is_object(profile))
        return "invalid_field";
    json_object_foreach((json_t *)(uintptr_t)profile, name, value)
    {
        if (!is_known(name)) {
            *field = acd_arena_format(check->arena, "%s.%s", path, name).data;
            return "unknown_field";
        }
    }
    for (size_t i = 0; i < RULES; i++) {
        value = json_object_get(profile, rules[i].name);
        if (value && !is_good(&rules[i], value)) {
            *field = acd_arena_format(check->arena, "%s.%s", path, rules[i].name).data;
            return "invalid_field";
        }
    }
    value = json_object_get(profile, "custom");
    return value ? check_custom(check, path, value, field) : NULL;
}

uint32_t check_intern(struct check *check, json_t *profile)
{
    const char *text = check_dump(check, profile);

    for (uint32_t i = 0; i < check->profile_count; i++)
        if (strcmp(check->profile_texts[i], text) == 0)
            return i;
    if (check->profile_count == check->profile_capacity) {
        uint32_t capacity = check->profile_capacity;

        check->profile_texts = check_grow(check, check->profile_texts, check->profile_count, &capacity,
                                          sizeof(*check->profile_texts));
        check->profiles = check_grow(check, check->profiles, check->profile_count, &check->profile_capacity,
                                     sizeof(json_t *));
    }
    check->profile_texts[check->profile_count] = text;
    check->profiles[check->profile_count] = profile;
    return check->profile_count++;
}

/* A value as records hold it: a whole float is an integer. */
static void merge_value(json_t *into, const char *name, json_t *value)
{
    if (removes(value))
        json_object_del(into, name);
    else if (json_is_real(value))
        json_object_set_new(into, name, json_integer((json_int_t)json_real_value(value)));
    else
        json_object_set(into, name, value);
}

static void merge_custom(json_t *profile, json_t *patch)
{
    json_t *custom = json_object_get(profile, "custom");
    json_t *merged = custom ? json_copy(custom) : json_object();
    const char *tag;
    json_t *value;

    json_object_foreach(patch, tag, value) merge_value(merged, tag, value);
    if (removes(patch) || json_object_size(merged) == 0)
        json_object_del(profile, "custom");
    else
        json_object_set(profile, "custom", merged);
    json_decref(merged);
}

bool check_merge(struct check *check, uint32_t profile, json_t *patch, uint32_t *out)
{
    json_t *merged = check_own(check, json_copy(check->profiles[profile]));
    const char *name;
    json_t *value;

    json_object_foreach(patch, name, value)
    {
        if (strcmp(name, "custom") == 0)
            merge_custom(merged, value);
        else
            merge_value(merged, name, value);
    }
    *out = check_intern(check, merged);
    return json_object_size(json_object_get(merged, "custom")) <= CUSTOM_MAX;
}
