/* The store on a Redis that answers anything: no answer makes it read or write what is not its own, leave an
 * answer unread, or go on with a broken connection.
 *
 * hiredis' calls over a connection are defined here; its reader of replies is the real one. The input: a
 * number of calls, a byte for each, then the bytes that Redis sends. */
#include <stdlib.h>

#include "accountd/outgoing.h"
#include "accountd/pending.h"
#include "accountd/position.h"
#include "accountd/reply.h"
#include "accountd/settings.h"
#include "accountd/store.h"
#include "fuzz.h"
#include "wire.h"

/* Stands before every key. */
#define PREFIX    "pre:"

#define CALLS_MAX 8

/* ---- The calls */

struct world {
    struct acd_store_handle *store;
    struct acd_arena arena;
    struct acd_state state;
};

static enum acd_store incarnation(struct world *world)
{
    struct acd_slice out;

    return acd_store_incarnation(world->store, &world->arena, &out);
}

static enum acd_store establish(struct world *world)
{
    struct acd_slice out;

    return acd_store_establish(world->store, &world->arena, acd_slice_str("i"), 4, acd_slice_str("d"), &out);
}

static enum acd_store markers(struct world *world)
{
    static const int32_t partitions[] = {0, 1, 2};
    struct acd_slice out[3];
    enum acd_store result = acd_store_markers(world->store, &world->arena, partitions, 3, out);
    struct acd_marker marker;

    for (int i = 0; result == ACD_STORE_OK && i < 3; i++)
        (void)acd_marker_parse(out[i], &marker);
    return result;
}

static enum acd_store outbox(struct world *world)
{
    const struct acd_committed committed = {
        .exists = true, .offset = 1, .metadata = acd_slice_str("accountd1 a 7")};
    struct acd_stored_outbox last;
    struct acd_pending pending;
    struct acd_marker marker;
    struct acd_outgoing_list list;
    enum acd_store result = acd_store_outbox(world->store, &world->arena, 0, ACD_OUTBOX_LAST, &last);

    if (result != ACD_STORE_OK || !acd_marker_parse(last.marker, &marker))
        return result;
    result = acd_pending_read(world->store, &world->arena, 0, &committed, last.marker, &marker, &pending);
    FUZZ_CHECK(pending.count <= ACD_RUN_MAX, "%u outboxes", pending.count);
    for (uint32_t i = 0; result == ACD_STORE_OK && i < pending.count; i++)
        if (acd_outbox_decode(&world->arena, pending.outboxes[i], &list) == 0)
            FUZZ_CHECK(list.count <= pending.outboxes[i].len, "%u messages", list.count);
    return result;
}

/* An account as Redis gave it is what it is, and can be shown. */
static void check_loaded(struct world *world, const struct acd_entry *entry)
{
    const struct acd_account *account = entry->base;

    FUZZ_CHECK(account, "not loaded");
    for (uint32_t i = 1; i < account->custom_count; i++)
        FUZZ_CHECK(acd_slice_compare(account->custom[i - 1].tag, account->custom[i].tag) <= 0,
                   "custom fields in no order");
    (void)acd_changelog_encode(&world->arena, entry->app->name, entry->name, account);
}

static enum acd_store load(struct world *world)
{
    enum acd_store result = acd_store_load(world->store, &world->arena, &world->state);

    for (struct acd_entry *entry = world->state.entries; entry && result == ACD_STORE_OK; entry = entry->next)
        check_loaded(world, entry);
    return result;
}

static enum acd_store list(struct world *world)
{
    const struct acd_command command = {.op = ACD_LIST, .app = ACD_LITERAL("demo"), .list_limit = 3};
    struct acd_page page;
    enum acd_store result = acd_store_list(world->store, &world->arena, &command, &page);

    for (uint32_t i = 0; result == ACD_STORE_OK && i < page.count; i++)
        if (page.created_at_ms[i] >= -1)
            (void)acd_state_entry(&world->state, command.app, page.names[i]);
    return result;
}

/* A page of a sweep, and its accounts. */
static enum acd_store pages(struct world *world)
{
    const struct acd_command command = {.op = ACD_EXPORT, .app = ACD_LITERAL("demo"), .list_limit = 3};
    const struct acd_account *account;
    struct acd_page page;
    enum acd_store result;

    acd_store_ask_page(world->store, &world->arena, &command, 0);
    result = acd_store_take_page(world->store, &world->arena, &page);
    if (result == ACD_STORE_OK)
        acd_store_ask_accounts(world->store, &world->arena, command.app, &page);
    for (uint32_t i = 0; result == ACD_STORE_OK && i < page.count; i++) {
        result = acd_store_take_account(world->store, &world->arena, &account);
        if (result == ACD_STORE_OK)
            (void)acd_changelog_encode(&world->arena, command.app, page.names[i], account);
    }
    if (result != ACD_STORE_OK)
        acd_store_disconnect(world->store);
    return result;
}

/* Every other account is deleted, the others get another profile; those that are not loaded never were. */
static void change(struct world *world)
{
    static const struct acd_custom custom = {ACD_LITERAL("x"), ACD_LITERAL("1")};
    bool deletes = false;

    for (struct acd_entry *entry = world->state.entries; entry; entry = entry->next, deletes = !deletes) {
        struct acd_account *changed = acd_arena_alloc(&world->arena, sizeof(*changed));

        if (!entry->base)
            entry->base = &acd_account_none;
        *changed = deletes ? acd_account_none : *entry->base;
        changed->revision = (int64_t)((uint64_t)entry->base->revision + 1);
        if (!deletes) {
            changed->exists = true;
            changed->type = ACD_GENERAL;
            changed->fields[ACD_LEVEL] = acd_slice_str("1");
            changed->custom = &custom;
            changed->custom_count = 1;
        }
        entry->current = changed;
        entry->touched = true;
    }
}

static bool is_entry(const struct world *world, const struct acd_entry *wanted)
{
    const struct acd_entry *entry = world->state.entries;

    while (entry && entry != wanted)
        entry = entry->next;
    return entry;
}

static bool is_app(const struct world *world, const struct acd_app *wanted)
{
    const struct acd_app *app = world->state.apps;

    while (app && app != wanted)
        app = app->next;
    return app;
}

static enum acd_store commit(struct world *world)
{
    const struct acd_commit_part parts[] = {
        {0, ACD_LITERAL("m1"), ACD_LITERAL("m2"), ACD_LITERAL("o"), ACD_LITERAL("j"), true, 0},
        {1, {NULL, 0}, ACD_LITERAL("m3"), ACD_LITERAL("o"), {NULL, 0}, false, 3}};
    const struct acd_commit call = {
        .incarnation = acd_slice_str("i"), .parts = parts, .part_count = 2, .state = &world->state};
    struct acd_verdict verdict;
    enum acd_store result;

    change(world);
    result = acd_store_commit(world->store, &world->arena, &call, &verdict);
    if (result == ACD_STORE_STALE || result == ACD_STORE_BUSY) {
        for (uint32_t i = 0; i < verdict.entry_count; i++)
            FUZZ_CHECK(is_entry(world, verdict.entries[i]), "an account that was not asked for");
        for (uint32_t i = 0; i < verdict.app_count; i++)
            FUZZ_CHECK(is_app(world, verdict.apps[i]), "an app that was not asked for");
    }
    return result;
}

static enum acd_store note(struct world *world)
{
    static const int32_t partitions[] = {0, 1};
    const struct acd_slice written[] = {ACD_LITERAL("m2"), ACD_LITERAL("m3")};

    acd_store_note(world->store, &world->arena, partitions, written, 2);
    (void)acd_store_note_lost(world->store, true);
    return acd_store_connected(world->store) ? ACD_STORE_OK : ACD_STORE_DOWN;
}

static enum acd_store attempts(struct world *world)
{
    int64_t before;

    return acd_store_attempts(world->store, &world->arena, 0, 17, "w", ACD_ATTEMPTS_COUNT, &before);
}

static enum acd_store take(struct world *world)
{
    return acd_store_take(world->store, &world->arena, acd_slice_str("bad"), "t", "", acd_slice_str("d"));
}

static enum acd_store sweep(struct world *world)
{
    uint64_t cursor = 0;
    struct acd_found *found;
    uint32_t count;
    enum acd_store result = acd_store_sweep(world->store, &world->arena, &cursor, &found, &count);

    for (uint32_t i = 0; result == ACD_STORE_OK && i < count; i++) {
        FUZZ_CHECK(found[i].key.len > strlen(PREFIX) &&
                       memcmp(found[i].key.data, PREFIX, strlen(PREFIX)) == 0,
                   "a key that is not ours: %.*s", ACD_SLICE_ARGS(found[i].key));
        FUZZ_CHECK(!found[i].name.data || found[i].app.data, "a name of no app");
    }
    if (result == ACD_STORE_OK && count) {
        struct acd_slice *keys = acd_arena_calloc(&world->arena, count, sizeof(*keys));

        for (uint32_t i = 0; i < count; i++)
            keys[i] = found[i].key;
        result = acd_store_forget(world->store, &world->arena, "t", keys, count);
    }
    return result;
}

/* As a recovery restores: one call is read when the next was sent, and all begins anew over another
 * connection when one failed. */
static enum acd_store restore(struct world *world)
{
    static const struct acd_custom custom[] = {{ACD_LITERAL("a"), ACD_LITERAL("1")}};
    struct acd_restored restored[] = {
        {.app = ACD_LITERAL("demo"),
         .name = ACD_LITERAL("alice"),
         .account = {.exists = true, .type = ACD_ADMIN, .revision = 2, .custom = custom, .custom_count = 1}},
        {.app = ACD_LITERAL("demo"), .name = ACD_LITERAL("bob"), .account = {.revision = 3}, .again = true},
    };
    struct acd_store_handle *store = world->store;
    struct acd_arena *arena = &world->arena;
    enum acd_store result = acd_store_restore_send(store, arena, "t", 1, restored, 1, false);

    if (result == ACD_STORE_OK)
        result = acd_store_restore_send(store, arena, "t", 2, restored + 1, 1, false);
    if (result == ACD_STORE_OK)
        result = acd_store_restore_read(store);
    if (result == ACD_STORE_OK)
        result = acd_store_restore_read(store);
    if (result != ACD_STORE_OK)
        acd_store_disconnect(store);
    return result;
}

static enum acd_store finish(struct world *world)
{
    static const int32_t partitions[] = {0, 1};
    const struct acd_slice written[] = {ACD_LITERAL("m1"), {NULL, 0}};
    const struct acd_slice jobs[] = {ACD_LITERAL("j"), ACD_LITERAL("")};

    return acd_store_finish(world->store, &world->arena, "t", acd_slice_str("i"), 0, partitions, written,
                            jobs, 2);
}

static enum acd_store connect_anew(struct world *world)
{
    return acd_store_connect(world->store, &world->arena);
}

static enum acd_store (*const calls[])(struct world *) = {
    connect_anew, establish, incarnation, markers, outbox,  load,   list, commit,
    note,         attempts,  take,        sweep,   restore, finish, pages};

/* ---- The input */

static const struct acd_settings *the_settings(void)
{
    static struct acd_settings settings;

    if (!settings.redis.key_prefix) {
        FUZZ_CHECK(acd_settings_default(&settings) == 0, "no memory");
        free(settings.redis.key_prefix);
        settings.redis.key_prefix = strdup(PREFIX);
    }
    return &settings;
}

static void init(struct world *world)
{
    static const char *const names[] = {"alice", "bob", "carol"};

    acd_arena_init(&world->arena);
    world->store = acd_store_open(the_settings());
    FUZZ_CHECK(world->store, "no memory");
    acd_state_init(&world->state, &world->arena, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)acd_state_entry(&world->state, acd_slice_str(i == 2 ? "other" : "demo"),
                              acd_slice_str(names[i]));
    acd_state_app(&world->state, acd_slice_str("demo"))->admins_touched = true;
}

/* Connects over a good answer, which is not the input's. */
static void connect_first(struct world *world)
{
    static const char hello[] =
        "$61\r\nrole:master\r\nrun_id:r\r\nmaster_replid:m\r\nmaxmemory_policy:\r\n\r\n\r\n"
        "$1\r\nl\r\n";

    fuzz_wire_feed(acd_slice(hello, sizeof(hello) - 1));
    FUZZ_CHECK(acd_store_connect(world->store, &world->arena) == ACD_STORE_OK, "not connected: %s",
               acd_store_error(world->store));
}

static void run(struct world *world, struct fuzz_input input)
{
    uint32_t count = 1 + fuzz_below(&input, CALLS_MAX);
    enum acd_store (*chosen[CALLS_MAX])(struct world *);

    for (uint32_t i = 0; i < count; i++)
        chosen[i] = calls[fuzz_below(&input, sizeof(calls) / sizeof(calls[0]))];
    if (!fuzz_wire_feed(acd_slice(input.at, input.left)))
        return;
    for (uint32_t i = 0; i < count; i++) {
        enum acd_store result = chosen[i](world);

        FUZZ_CHECK(result != ACD_STORE_DOWN || !acd_store_connected(world->store), "down, but connected");
        FUZZ_CHECK(fuzz_wire_unread() == 0 || !acd_store_connected(world->store),
                   "%lld answers were not read", (long long)fuzz_wire_unread());
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {0};

    fuzz_wire_open();
    init(&world);
    connect_first(&world);
    run(&world, (struct fuzz_input){data, size});
    acd_store_close(world.store);
    acd_arena_free(&world.arena);
    fuzz_wire_close();
    return 0;
}
