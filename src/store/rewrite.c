/* The restore's accounts: written as they must be, whatever is there. */
#include "changes.h"
#include "handle.h"

/* The accounts of one app, in a list. */
struct app {
    struct acd_slice name;
    uint32_t count;
    uint32_t first;
    uint32_t last;
};

static struct app *app_of(struct app *apps, uint32_t *count, struct acd_slice name)
{
    uint32_t i = 0;

    while (i < *count && !acd_slice_equal(apps[i].name, name))
        i++;
    if (i == *count)
        apps[(*count)++] = (struct app){.name = name};
    return &apps[i];
}

/* Sorts accounts by app; `next` holds the lists. Returns how many apps there are. */
static uint32_t sort_by_app(const struct acd_restored *accounts, uint32_t count, struct app *apps,
                            uint32_t *next)
{
    uint32_t app_count = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct app *app = app_of(apps, &app_count, accounts[i].app);

        if (app->count++ == 0)
            app->first = i;
        else
            next[app->last] = i;
        app->last = i;
    }
    return app_count;
}

/* Indexes, admin sets and deletions were emptied when the recovery began: only what an older version of the
 * account left there is to be taken out. */
static void add_account(struct acd_changes *changes, const struct acd_restored *restored)
{
    const struct acd_account *account = &restored->account;
    const char *kind = account->exists ? "rewrite" : "delete";
    const char *admin = account->exists && account->type == ACD_ADMIN ? "+" : restored->again ? "-" : "";

    acd_args_add(&changes->args, restored->name);
    acd_args_str(&changes->args, "");
    acd_changes_account(changes, 0, kind, admin, &acd_account_none, account);
}

static bool is_newcomer(const struct acd_restored *restored, bool empty)
{
    return empty && !restored->again && restored->account.exists;
}

static void add_app(struct acd_changes *changes, const struct app *app, const struct acd_restored *accounts,
                    const uint32_t *next, bool empty)
{
    struct acd_args *args = &changes->args;
    struct acd_newcomer *newcomers = acd_arena_alloc(args->arena, app->count * sizeof(*newcomers));
    uint32_t count = 0;

    acd_args_add(args, app->name);
    acd_args_str(args, "");
    for (uint32_t i = 0, at = app->first; i < app->count; i++, at = next[at])
        if (is_newcomer(&accounts[at], empty))
            newcomers[count++] = (struct acd_newcomer){accounts[at].name, &accounts[at].account, 0, NULL};
    acd_changes_newcomers(changes, newcomers, count);
    acd_args_int(args, app->count - count);
    for (uint32_t i = 0, at = app->first; i < app->count; i++, at = next[at])
        if (!is_newcomer(&accounts[at], empty))
            add_account(changes, &accounts[at]);
}

enum acd_store acd_store_restore_send(struct acd_store_handle *store, struct acd_arena *arena,
                                      const char *token, uint32_t call, const struct acd_restored *accounts,
                                      uint32_t count, bool empty)
{
    struct app *apps = acd_arena_calloc(arena, count, sizeof(*apps));
    uint32_t *next = acd_arena_calloc(arena, count, sizeof(*next));
    uint32_t app_count = sort_by_app(accounts, count, apps, next);
    struct acd_changes changes;
    uint32_t header;
    uint32_t hole;

    if (!store->redis.context)
        return ACD_STORE_DOWN;
    acd_changes_init(&changes, arena);
    acd_store_function(store, arena, &changes.args, "FCALL", "restore");
    header = changes.args.count - 1;
    acd_args_str(&changes.args, token);
    acd_args_int(&changes.args, call);
    hole = acd_args_hole(&changes.args);
    acd_args_int(&changes.args, app_count);
    for (uint32_t a = 0; a < app_count; a++)
        add_app(&changes, &apps[a], accounts, next, empty);
    acd_args_fill(&changes.args, hole, changes.args.count - header + 1);
    acd_shapes_add(&changes.shapes, &changes.args);
    acd_redis_send(&store->redis, &changes.args);
    acd_redis_flush(&store->redis);
    return ACD_STORE_OK;
}

enum acd_store acd_store_restore_read(struct acd_store_handle *store)
{
    redisReply *reply;
    enum acd_store result = acd_redis_read(&store->redis, &reply);

    if (result != ACD_STORE_OK)
        return result;
    result = acd_slice_is(acd_reply_slice(reply), "ok") ? ACD_STORE_OK : ACD_STORE_FENCED;
    freeReplyObject(reply);
    return result;
}
