/* What is left when all is quiet: Redis and the changelog. */
#include <stdlib.h>

#include "checker.h"

/* ---- Redis */

struct items {
    struct check *check;
    struct sim_item *items;
    uint32_t count;
    uint32_t capacity;
};

static void add(struct items *items, struct acd_slice key, const char *name, struct acd_slice value)
{
    if (items->count == items->capacity)
        items->items =
            check_grow(items->check, items->items, items->count, &items->capacity, sizeof(*items->items));
    items->items[items->count++] = (struct sim_item){key, acd_slice_str(name), value};
}

static struct acd_slice number(struct check *check, int64_t value)
{
    return acd_arena_format(check->arena, "%lld", (long long)value);
}

static struct acd_slice value_text(struct check *check, const json_t *value)
{
    return json_is_string(value) ? acd_slice(json_string_value(value), json_string_length(value))
                                 : number(check, json_integer_value(value));
}

static void add_profile(struct items *items, struct acd_slice key, json_t *profile, const char *front)
{
    const char *name;
    json_t *value;

    json_object_foreach(profile, name, value)
    {
        if (json_is_object(value))
            add_profile(items, key, value, "custom.");
        else
            add(items, key, acd_arena_format(items->check->arena, "%s%s", front, name).data,
                value_text(items->check, value));
    }
}

static void add_account(struct items *items, const struct subject *subject, const struct account *account)
{
    struct check *check = items->check;
    const char *prefix = check->history->prefix;
    struct acd_slice created = number(check, account->created_ms);
    struct acd_slice key;

    if (!account->exists && account->revision)
        add(items, acd_arena_format(check->arena, "%sdeleted:{%s}", prefix, subject->app), subject->name,
            number(check, account->revision));
    if (!account->exists)
        return;
    key = acd_arena_format(check->arena, "%sacct:{%s}:%s", prefix, subject->app, subject->name);
    add(items, key, "type", acd_slice_str(account->admin ? "admin" : "general"));
    add(items, key, "rev", number(check, account->revision));
    add(items, key, "created_at", created);
    add(items, key, "updated_at", number(check, account->updated_ms));
    add_profile(items, key, check->profiles[account->profile], "");
    add(items, acd_arena_format(check->arena, "%saccounts:{%s}", prefix, subject->app), subject->name,
        created);
    if (account->admin)
        add(items, acd_arena_format(check->arena, "%sadmins:{%s}", prefix, subject->app), subject->name,
            acd_slice(NULL, 0));
}

static int by_name(const void *a, const void *b)
{
    const struct sim_item *x = a;
    const struct sim_item *y = b;
    int order = acd_slice_compare(x->key, y->key);

    return order ? order : acd_slice_compare(x->name, y->name);
}

static void add_difference(struct check *check, const char **text, const struct sim_item *item,
                           const char *format, struct acd_slice value)
{
    *text = acd_arena_format(check->arena, "%s\n  %.*s %.*s ", *text, ACD_SLICE_ARGS(item->key),
                             ACD_SLICE_ARGS(item->name))
                .data;
    *text = acd_arena_format(check->arena, "%s%s%.*s", *text, format, ACD_SLICE_ARGS(value)).data;
}

static const char *compare(struct check *check, const struct sim_item *is, uint32_t is_count,
                           const struct sim_item *due, uint32_t due_count)
{
    const char *text = "";
    uint32_t a = 0, b = 0;

    while (a < is_count || b < due_count) {
        int order = a == is_count ? 1 : b == due_count ? -1 : by_name(&is[a], &due[b]);

        if (order < 0)
            add_difference(check, &text, &is[a], "should not be there, is ", is[a].value);
        else if (order > 0)
            add_difference(check, &text, &due[b], "is not there, should be ", due[b].value);
        else if (!acd_slice_equal(is[a].value, due[b].value)) {
            add_difference(check, &text, &is[a], "is ", is[a].value);
            text =
                acd_arena_format(check->arena, "%s, should be %.*s", text, ACD_SLICE_ARGS(due[b].value)).data;
        }
        a += order <= 0;
        b += order >= 0;
    }
    return text;
}

bool check_redis(struct check *check, const struct account *accounts)
{
    uint32_t count = check->history->redis_count;
    struct sim_item *is = acd_arena_calloc(check->arena, (size_t)count + 1, sizeof(*is));
    struct items due = {.check = check};
    const char *text;

    for (uint32_t i = 0; i < count; i++)
        is[i] = check->history->redis[i];
    for (uint32_t i = 0; i < check->subject_count; i++)
        add_account(&due, &check->subjects[i], &accounts[i]);
    qsort(is, count, sizeof(*is), by_name);
    if (due.count)
        qsort(due.items, due.count, sizeof(*due.items), by_name);
    text = compare(check, is, count, due.items, due.count);
    return !text[0] || check_fail(check, "Redis is not what the commands leave:%s", text);
}

/* ---- The changelog */

json_t *check_record(struct check *check, uint32_t subject, const struct account *account)
{
    return json_pack("{ss ss ss sI ss ss sO}", "app", check->subjects[subject].app, "account",
                     check->subjects[subject].name, "type", account->admin ? "admin" : "general", "revision",
                     (json_int_t)account->revision, "created_at", check_time(check, account->created_ms),
                     "updated_at", check_time(check, account->updated_ms), "profile",
                     check->profiles[account->profile]);
}

static json_t *value_of(struct check *check, const struct change *change)
{
    const struct subject *subject = &check->subjects[change->subject];

    if (change->account.exists)
        return check_record(check, change->subject, &change->account);
    return json_pack("{ss ss sb sI ss}", "app", subject->app, "account", subject->name, "deleted", 1,
                     "revision", (json_int_t)change->account.revision, "at",
                     check_time(check, change->account.updated_ms));
}

static const char *key_of(struct check *check, const struct change *change)
{
    return acd_arena_format(check->arena, "%s/%s", check->subjects[change->subject].app,
                            check->subjects[change->subject].name)
        .data;
}

/* The first change of that key and partition that is not in the changelog yet. */
static struct change *next_change(struct check *check, struct change *changes, uint32_t count,
                                  const struct sim_message *message)
{
    for (uint32_t i = 0; i < count; i++)
        if (!changes[i].seen && changes[i].partition == message->partition &&
            acd_slice_is(message->key, key_of(check, &changes[i])))
            return &changes[i];
    return NULL;
}

static bool check_change(struct check *check, struct change *changes, uint32_t count,
                         const struct sim_message *message)
{
    struct change *change = next_change(check, changes, count, message);
    json_t *is = message->value.data ? check_decode(check, message->value, false) : NULL;
    json_t *due = change ? check_own(check, value_of(check, change)) : NULL;

    if (!change)
        return check_fail(check,
                          "changelog partition %d, offset %lld: no command made this change of %.*s: %.*s",
                          message->partition, (long long)message->offset, ACD_SLICE_ARGS(message->key),
                          ACD_SLICE_ARGS(message->value));
    change->seen = true;
    if (is && json_equal(is, due))
        return true;
    return check_fail(check, "changelog partition %d, offset %lld: %.*s is\n  %.*s\nshould be\n  %s",
                      message->partition, (long long)message->offset, ACD_SLICE_ARGS(message->key),
                      ACD_SLICE_ARGS(message->value), check_dump(check, due));
}

bool check_changelog(struct check *check, struct change *changes, uint32_t count)
{
    for (uint32_t i = 0; i < check->history->change_count; i++)
        if (!check_change(check, changes, count, &check->history->changes[i]))
            return false;
    for (uint32_t i = 0; i < count; i++)
        if (!changes[i].seen)
            return check_fail(check, "changelog partition %d lacks a change of %s: %s", changes[i].partition,
                              key_of(check, &changes[i]),
                              check_dump(check, check_own(check, value_of(check, &changes[i]))));
    return true;
}
