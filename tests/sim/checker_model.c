/* Accounts, and what a command does to them. */
#include "checker.h"

static int64_t admins_of(const struct check *check, const struct account *accounts, const char *app)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < check->subject_count; i++)
        count += accounts[i].exists && accounts[i].admin && strcmp(check->subjects[i].app, app) == 0;
    return count;
}

static struct outcome refuse(const char *code)
{
    return (struct outcome){.code = code, .revision = CHECK_NONE};
}

static struct outcome done(const struct account *account, bool changed)
{
    return (struct outcome){.revision = account->revision, .changed = changed};
}

static struct outcome create(struct check *check, const struct post *post, const struct order *order,
                             struct account *accounts)
{
    struct account *account = &accounts[order->subject];
    struct account made = {.exists = true,
                           .admin = order->admin == 1,
                           .revision = account->revision + 1,
                           .created_ms = post->at_ms,
                           .updated_ms = post->at_ms};

    if (made.admin &&
        admins_of(check, accounts, check->subjects[order->subject].app) >= check->history->admins_per_app)
        return refuse("admin_limit");
    if (order->patch && !check_merge(check, 0, order->patch, &made.profile))
        return refuse("custom_limit");
    *account = made;
    return done(account, true);
}

static struct outcome merge(struct check *check, const struct post *post, const struct order *order,
                            struct account *account)
{
    uint32_t profile = account->profile;

    if (order->admin != CHECK_NONE && (order->admin == 1) != account->admin)
        return refuse("immutable_field");
    if (order->patch && !check_merge(check, account->profile, order->patch, &profile))
        return refuse("custom_limit");
    if (profile == account->profile)
        return done(account, false);
    account->profile = profile;
    account->revision++;
    account->updated_ms = post->at_ms;
    return done(account, true);
}

static struct outcome get(const struct account *account)
{
    if (!account->exists)
        return refuse("account_not_found");
    return (struct outcome){.revision = account->revision,
                            .record = true,
                            .admin = account->admin,
                            .created_ms = account->created_ms,
                            .updated_ms = account->updated_ms,
                            .profile = account->profile};
}

static struct outcome apply(struct check *check, const struct post *post, const struct order *order,
                            struct account *accounts)
{
    struct account *account = &accounts[order->subject];

    if (post->op == CHECK_GET)
        return get(account);
    if (post->op == CHECK_CREATE) {
        if (!account->exists)
            return create(check, post, order, accounts);
        if (post->on_exists == CHECK_EXISTS_ERROR)
            return refuse("account_exists");
        return post->on_exists == CHECK_EXISTS_SKIP ? done(account, false)
                                                    : merge(check, post, order, account);
    }
    if (!account->exists)
        return refuse("account_not_found");
    if (order->if_revision != CHECK_NONE && order->if_revision != account->revision)
        return (struct outcome){.code = "revision_conflict", .revision = account->revision};
    if (post->op == CHECK_EDIT)
        return merge(check, post, order, account);
    *account = (struct account){.revision = account->revision + 1, .updated_ms = post->at_ms};
    return done(account, true);
}

void check_apply(struct check *check, const struct post *post, struct account *accounts,
                 struct outcome *outcomes)
{
    size_t bytes = check->subject_count * sizeof(*accounts);
    struct account *before = post->dry_run ? acd_arena_alloc(check->arena, bytes) : NULL;

    if (before)
        memcpy(before, accounts, bytes);
    for (uint32_t i = 0; i < post->order_count; i++)
        outcomes[i] = apply(check, post, &post->orders[i], accounts);
    if (before)
        memcpy(accounts, before, bytes);
}

/* ---- Lists */

static const json_t *find_row(const json_t *rows, const char *name)
{
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row) if (strcmp(json_string_value(json_object_get(row, "account")), name) ==
                                         0) return row;
    return NULL;
}

static bool same_value(const json_t *row, const json_t *profile, const char *name)
{
    const json_t *a = json_object_get(row, name);
    const json_t *b = json_object_get(profile, name);

    return a == b || (a && b && json_equal(a, b));
}

static bool row_fits(struct check *check, const json_t *row, const struct account *account)
{
    const json_t *profile = check->profiles[account->profile];

    return account->exists &&
           strcmp(json_string_value(json_object_get(row, "type")), account->admin ? "admin" : "general") ==
               0 &&
           check_time_parse(json_string_value(json_object_get(row, "created_at"))) == account->created_ms &&
           same_value(row, profile, "nickname") && same_value(row, profile, "avatar_url");
}

/* True when an account must be on the page: the page is the first one, and goes on beyond it. */
static bool is_due(const struct post *post, const json_t *rows, const struct account *account,
                   const char *name)
{
    const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
    int64_t until;

    if (post->after || !account->exists)
        return false;
    if (json_is_null(json_object_get(post->reply, "next")))
        return true;
    if (!last)
        return false;
    until = check_time_parse(json_string_value(json_object_get(last, "created_at")));
    return account->created_ms < until ||
           (account->created_ms == until &&
            strcmp(name, json_string_value(json_object_get(last, "account"))) < 0);
}

bool check_list(struct check *check, const struct post *post, const struct account *accounts)
{
    const json_t *rows = json_object_get(post->reply, "rows");
    uint64_t own = UINT64_C(1) << post->command->partition;

    for (uint32_t i = 0; i < check->subject_count; i++) {
        const struct subject *subject = &check->subjects[i];
        const json_t *row;

        if (subject->partitions != own || strcmp(subject->app, post->app) != 0)
            continue;
        row = find_row(rows, subject->name);
        if (row ? !row_fits(check, row, &accounts[i]) : is_due(post, rows, &accounts[i], subject->name))
            return false;
    }
    return true;
}
