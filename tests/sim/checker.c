/* The order of the checks, from what is easy to say to what is not. */
#include "checker.h"

bool check_fail(struct check *check, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!check->wrong)
        check->wrong = acd_arena_vformat(check->arena, format, args).data;
    va_end(args);
    return false;
}

void *check_grow(struct check *check, void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    uint32_t larger = *capacity ? 2 * *capacity : 16;
    void *grown = acd_arena_calloc(check->arena, larger, size);

    if (count)
        memcpy(grown, items, count * size);
    *capacity = larger;
    return grown;
}

/* The accounts that a command changes, as they are after it. */
static void add_changes(const struct post *post, const struct outcome *outcomes,
                        const struct account *accounts, struct change *changes, uint32_t *count)
{
    for (uint32_t i = 0; i < post->order_count && !post->dry_run; i++)
        if (!outcomes[i].code && outcomes[i].changed)
            changes[(*count)++] = (struct change){post->command->partition, post->orders[i].subject,
                                                  accounts[post->orders[i].subject], false};
}

/* Goes through the commands in the order that was found, and compares everything with what it leaves. */
static bool check_all(struct check *check, const uint32_t *path, uint32_t orders)
{
    struct account *accounts = acd_arena_calloc(check->arena, check->subject_count, sizeof(*accounts));
    struct change *changes = acd_arena_calloc(check->arena, orders, sizeof(*changes));
    struct outcome *outcomes = acd_arena_calloc(check->arena, orders, sizeof(*outcomes));
    uint32_t count = 0;

    for (uint32_t i = 0; i < check->history->command_count; i++) {
        const struct post *post = &check->posts[path[i]];

        if (post->code || post->op == CHECK_LIST)
            continue;
        check_apply(check, post, accounts, outcomes);
        if (!check_reply(check, post, outcomes))
            return false;
        add_changes(post, outcomes, accounts, changes, &count);
    }
    return check_changelog(check, changes, count) && check_redis(check, accounts);
}

static bool check_history(struct check *check)
{
    uint32_t count = check->history->command_count;
    uint32_t *path = acd_arena_calloc(check->arena, count, sizeof(*path));
    uint32_t orders = 0;

    check->posts = acd_arena_calloc(check->arena, count, sizeof(*check->posts));
    for (uint32_t i = 0; i < count; i++) {
        check->posts[i].command = &check->history->commands[i];
        check_command(check, &check->posts[i]);
        orders += check->posts[i].order_count;
    }
    return check_replies(check) && check_revisions(check) && check_search(check, path) &&
           check_all(check, path, orders);
}

const char *sim_check(struct acd_arena *arena, const struct sim_history *history)
{
    struct check check = {.arena = arena, .history = history};

    /* Profile 0 is the empty one, which every account begins with. */
    check_intern(&check, check_own(&check, json_object()));
    check_history(&check);
    for (uint32_t i = 0; i < check.tree_count; i++)
        json_decref(check.trees[i]);
    return check.wrong;
}
