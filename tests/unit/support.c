/* JSON to values, values to text. */
#include "support.h"

#include <jansson.h>
#include <stdlib.h>

#include "accountd/buffer.h"

static struct acd_value value_of(struct acd_arena *arena, const json_t *json);

static struct acd_slice string_of(struct acd_arena *arena, const json_t *json)
{
    struct acd_slice text = acd_slice(json_string_value(json), json_string_length(json));
    struct acd_slice copy;

    if (text.len < 2 || text.data[0] != '~')
        return acd_arena_copy(arena, text);
    copy.len = (size_t)strtoul(text.data + 1, NULL, 10);
    copy.data = memset(acd_arena_alloc(arena, copy.len), 'x', copy.len);
    return copy;
}

static struct acd_value array_of(struct acd_arena *arena, const json_t *json)
{
    uint32_t count = (uint32_t)json_array_size(json);
    struct acd_value *items = acd_arena_calloc(arena, count, sizeof(*items));

    for (uint32_t i = 0; i < count; i++)
        items[i] = value_of(arena, json_array_get(json, i));
    return (struct acd_value){.kind = ACD_ARRAY, .count = count, .items = items};
}

static struct acd_value map_of(struct acd_arena *arena, json_t *json)
{
    uint32_t count = (uint32_t)json_object_size(json);
    struct acd_member *members = acd_arena_calloc(arena, count, sizeof(*members));
    const char *key;
    json_t *value;
    uint32_t i = 0;

    json_object_foreach(json, key, value)
    {
        members[i].key = acd_arena_copy(arena, acd_slice_str(key));
        members[i++].value = value_of(arena, value);
    }
    return (struct acd_value){.kind = ACD_MAP, .count = count, .members = members};
}

static struct acd_value value_of(struct acd_arena *arena, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return map_of(arena, (json_t *)(uintptr_t)json);
    case JSON_ARRAY:
        return array_of(arena, json);
    case JSON_STRING:
        return (struct acd_value){.kind = ACD_STRING, .string = string_of(arena, json)};
    case JSON_INTEGER:
        return (struct acd_value){.kind = ACD_INT, .integer = json_integer_value(json)};
    case JSON_REAL:
        return (struct acd_value){.kind = ACD_DOUBLE, .number = json_real_value(json)};
    case JSON_TRUE:
    case JSON_FALSE:
        return (struct acd_value){.kind = ACD_BOOL, .boolean = json_is_true(json)};
    case JSON_NULL:
        break;
    }
    return (struct acd_value){.kind = ACD_NULL};
}

struct acd_value test_value(struct acd_arena *arena, const char *json)
{
    struct acd_slice copy = acd_arena_copy(arena, acd_slice_str(json));
    char *text = (char *)(uintptr_t)copy.data;
    struct acd_value value;
    json_error_t error;
    json_t *tree;

    for (char *quote = text; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    tree = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (!tree)
        fail_msg("the test's JSON is wrong: %s: %s", error.text, text);
    value = value_of(arena, tree);
    json_decref(tree);
    return value;
}

void test_command(struct acd_arena *arena, const char *json, const struct acd_policy *policy,
                  struct acd_command *out)
{
    struct acd_value message = test_value(arena, json);
    struct acd_refusal refusal = acd_command_read(&message, policy, NULL, arena, out);

    if (refusal.code != ACD_OK)
        fail_msg("%s\n  was refused: %s %.*s: %.*s", json, acd_code_text(refusal.code),
                 ACD_SLICE_ARGS(refusal.field), ACD_SLICE_ARGS(refusal.message));
}

static void add_refusal(struct acd_buffer *text, const struct acd_refusal *refusal)
{
    acd_buffer_add_str(text, acd_code_text(refusal->code));
    if (refusal->field.len) {
        acd_buffer_add_char(text, '(');
        acd_buffer_add_slice(text, refusal->field);
        acd_buffer_add_char(text, ')');
    }
    if (refusal->revision) {
        acd_buffer_add_char(text, '@');
        acd_buffer_add_int(text, refusal->revision);
    }
}

static const char *finish(struct acd_arena *arena, const struct acd_buffer *text)
{
    return acd_arena_copy(arena, acd_buffer_slice(text)).data;
}

const char *test_answer_text(struct acd_arena *arena, const struct acd_answer *answer)
{
    struct acd_buffer text;

    acd_buffer_init(&text, arena, 0);
    acd_buffer_add_str(&text, acd_status_text(answer->status));
    for (uint32_t i = 0; i < answer->outcome_count; i++) {
        const struct acd_outcome *outcome = &answer->outcomes[i];

        acd_buffer_add_char(&text, ' ');
        acd_buffer_add_slice(&text, outcome->account);
        acd_buffer_add_char(&text, ':');
        if (outcome->refusal.code != ACD_OK) {
            add_refusal(&text, &outcome->refusal);
            continue;
        }
        acd_buffer_add_str(&text, "ok@");
        acd_buffer_add_int(&text, outcome->revision);
        if (outcome->changed)
            acd_buffer_add_char(&text, '*');
        if (outcome->record)
            acd_buffer_add_char(&text, '+');
    }
    return finish(arena, &text);
}

const char *test_account_text(struct acd_arena *arena, const struct acd_account *account)
{
    struct acd_buffer text;

    acd_buffer_init(&text, arena, 0);
    acd_buffer_add_str(&text, account->exists ? acd_type_text(account->type) : "none");
    acd_buffer_add_char(&text, '@');
    acd_buffer_add_int(&text, account->revision);
    if (!account->exists)
        return finish(arena, &text);
    acd_buffer_add_char(&text, ' ');
    acd_buffer_add_int(&text, account->created_at_ms);
    acd_buffer_add_char(&text, '/');
    acd_buffer_add_int(&text, account->updated_at_ms);
    for (unsigned field = 0; field < ACD_FIELD_COUNT; field++) {
        if (account->fields[field].len == 0)
            continue;
        acd_buffer_add_char(&text, ' ');
        acd_buffer_add_str(&text, acd_field_rules[field].name);
        acd_buffer_add_char(&text, '=');
        acd_buffer_add_slice(&text, account->fields[field]);
    }
    for (uint32_t i = 0; i < account->custom_count; i++) {
        acd_buffer_add_str(&text, " custom.");
        acd_buffer_add_slice(&text, account->custom[i].tag);
        acd_buffer_add_char(&text, '=');
        acd_buffer_add_slice(&text, account->custom[i].value);
    }
    return finish(arena, &text);
}
