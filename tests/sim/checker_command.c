/* What a command means, or the code that refuses it as a whole. */
#include "checker.h"

/* In order of precedence. */
static const char *const codes[] = {
    "malformed",     "unsupported_version", "unknown_op",           "missing_field",
    "unknown_field", "invalid_field",       "confirmation_required"};

static const char *const ops[] = {"create", "edit", "delete", "get", "list"};

/* Which operations have a field, one bit for each of `ops`; the order in which fields are blamed. */
#define ALL 31
static const struct field {
    const char *name;
    int ops;
} fields[] = {{"v", ALL},       {"id", ALL},    {"op", ALL},    {"app", ALL},       {"account", 15},
              {"accounts", 15}, {"type", 3},    {"profile", 3}, {"if_revision", 6}, {"on_exists", 1},
              {"confirm", 4},   {"dry_run", 7}, {"limit", 16},  {"after", 16}};

#define NAMES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static size_t rank(const char *code)
{
    size_t i = 0;

    while (code && i < sizeof(codes) / sizeof(codes[0]) && strcmp(codes[i], code) != 0)
        i++;
    return code ? i : sizeof(codes) / sizeof(codes[0]) + 1;
}

/* Keeps what comes first in the table of codes; of several with one code the first that was found. */
static void blame(struct post *post, const char *code, const char *field)
{
    if (rank(code) < rank(post->code)) {
        post->code = code;
        post->field = field;
    }
}

static json_t *present(const json_t *tree, const char *name)
{
    json_t *value = json_object_get(tree, name);

    return json_is_null(value) ? NULL : value;
}

static bool is_name(const json_t *value, size_t max, const char *letters)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    return text && len >= 1 && len <= max && strspn(text, letters) == len;
}

static bool is_account(const json_t *value)
{
    return is_name(value, 32, NAMES ".@") && !strchr("._@-", json_string_value(value)[0]);
}

static bool is_id(const json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || json_string_length(value) < 1 || json_string_length(value) > 64)
        return false;
    for (; *text; text++)
        if (*text < '!' || *text > '~')
            return false;
    return true;
}

static bool is_whole(const json_t *value, int64_t from, int64_t to)
{
    double number = json_number_value(value);

    return json_is_number(value) && number == (double)(int64_t)number && (int64_t)number >= from &&
           (int64_t)number <= to;
}

static uint32_t subject_of(struct check *check, const char *app, const char *name, int32_t partition)
{
    uint32_t i = 0;

    while (i < check->subject_count &&
           (strcmp(check->subjects[i].app, app) != 0 || strcmp(check->subjects[i].name, name) != 0))
        i++;
    if (i == check->subject_count) {
        if (check->subject_count == check->subject_capacity)
            check->subjects = check_grow(check, check->subjects, check->subject_count,
                                         &check->subject_capacity, sizeof(*check->subjects));
        check->subjects[check->subject_count++] = (struct subject){.app = app, .name = name};
    }
    check->subjects[i].partitions |= UINT64_C(1) << partition;
    return i;
}

static const char *below(struct check *check, const char *path, const char *name)
{
    return path[0] ? acd_arena_format(check->arena, "%s.%s", path, name).data : name;
}

/* Type, profile and revision, of the command itself or of an entry (which lacks what the command has). */
static void read_order(struct check *check, struct post *post, const json_t *tree, const char *path,
                       struct order *order)
{
    json_t *type = present(tree, "type");
    json_t *profile = json_object_get(tree, "profile");
    json_t *revision = present(tree, "if_revision");
    const char *field;
    const char *code;

    if (type) {
        const char *text = json_string_value(type);

        if (!text || (strcmp(text, "admin") != 0 && strcmp(text, "general") != 0))
            blame(post, "invalid_field", below(check, path, "type"));
        order->admin = text && strcmp(text, "admin") == 0;
    }
    if (profile && !json_is_null(profile)) {
        code = check_profile(check, below(check, path, "profile"), profile, &field);
        blame(post, code, field);
        order->patch = profile;
    }
    if (revision) {
        if (!is_whole(revision, 0, INT64_MAX))
            blame(post, "invalid_field", below(check, path, "if_revision"));
        order->if_revision = (int64_t)json_number_value(revision);
    }
}

static bool is_entry_field(const struct post *post, const char *name)
{
    if (strcmp(name, "account") == 0)
        return true;
    for (size_t i = 6; i <= 8; i++)
        if (strcmp(fields[i].name, name) == 0)
            return (fields[i].ops >> post->op & 1) != 0;
    return false;
}

static void read_entry(struct check *check, struct post *post, json_t *entry, size_t number,
                       const struct order *common)
{
    const char *path = acd_arena_format(check->arena, "accounts[%zu]", number).data;
    json_t *account = json_is_object(entry) ? present(entry, "account") : entry;
    struct order *order = &post->orders[number];
    const char *name;
    json_t *value;

    *order = *common;
    json_object_foreach(entry, name, value) if (!json_is_null(value) && !is_entry_field(post, name))
        blame(post, "unknown_field", below(check, path, name));
    if (!account)
        blame(post, "missing_field", below(check, path, "account"));
    else if (!is_account(account))
        blame(post, "invalid_field", json_is_object(entry) ? below(check, path, "account") : path);
    if (post->app && is_account(account)) {
        order->subject = subject_of(check, post->app, json_string_value(account), post->command->partition);
        for (size_t i = 0; i < number; i++)
            if (post->orders[i].subject == order->subject)
                blame(post, "invalid_field", json_is_object(entry) ? below(check, path, "account") : path);
    }
    read_order(check, post, entry, path, order);
}

static void read_targets(struct check *check, struct post *post, const json_t *tree)
{
    json_t *account = present(tree, "account");
    json_t *accounts = present(tree, "accounts");
    struct order common = {.subject = UINT32_MAX, .admin = CHECK_NONE, .if_revision = CHECK_NONE};
    size_t count = accounts ? json_array_size(accounts) : 1;
    bool whole;

    if (account && !is_account(account))
        blame(post, "invalid_field", "account");
    if (accounts && (count < 1 || count > 100))
        blame(post, "invalid_field", "accounts");
    if (account && accounts)
        blame(post, "invalid_field", "accounts");
    if (!account && !accounts)
        blame(post, "missing_field", "account");
    post->many = accounts != NULL;
    post->order_count = (uint32_t)count;
    post->orders = acd_arena_calloc(check->arena, count, sizeof(*post->orders));
    read_order(check, post, tree, "", &common);
    for (size_t i = 0; accounts && i < count; i++)
        read_entry(check, post, json_array_get(accounts, i), i, &common);
    if (!accounts) {
        post->orders[0] = common;
        if (post->app && post->account)
            post->orders[0].subject = subject_of(check, post->app, post->account, post->command->partition);
    }
    whole = true;
    for (size_t i = 0; i < count; i++)
        whole = whole && !post->orders[i].patch;
    for (size_t i = 0; post->op == CHECK_EDIT && i < count; i++)
        if (!post->orders[i].patch)
            blame(post, "missing_field",
                  whole ? "profile" : acd_arena_format(check->arena, "accounts[%zu].profile", i).data);
}

static void read_options(struct post *post, const json_t *tree)
{
    static const char *const on_exists[] = {"error", "update", "skip"};
    json_t *value = present(tree, "on_exists");
    int choice = CHECK_NONE;

    for (int i = 0; value && i < 3; i++)
        if (json_is_string(value) && strcmp(json_string_value(value), on_exists[i]) == 0)
            choice = i;
    if (value && choice == CHECK_NONE)
        blame(post, "invalid_field", "on_exists");
    post->on_exists = choice == CHECK_NONE ? CHECK_EXISTS_ERROR : (enum check_exists)choice;
    value = present(tree, "confirm");
    if (value && !json_is_boolean(value))
        blame(post, "invalid_field", "confirm");
    if (post->op == CHECK_DELETE && post->many && !json_is_true(value))
        blame(post, "confirmation_required", "confirm");
    value = present(tree, "dry_run");
    if (value && !json_is_boolean(value))
        blame(post, "invalid_field", "dry_run");
    post->dry_run = json_is_true(value);
    value = present(tree, "limit");
    if (value && !is_whole(value, 1, 1000))
        blame(post, "invalid_field", "limit");
    post->limit = value ? (int64_t)json_number_value(value) : 100;
    value = present(tree, "after");
    post->after = value != NULL;
    if (value && !json_is_string(value))
        blame(post, "invalid_field", "after");
}

static void read_unknown(struct post *post, const json_t *tree)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tree, name, value)
    {
        bool known = false;

        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
            known = known || (strcmp(fields[i].name, name) == 0 && (fields[i].ops >> post->op & 1));
        if (!known && !json_is_null(value))
            blame(post, "unknown_field", name);
    }
}

static void read_tree(struct check *check, struct post *post, const json_t *tree)
{
    json_t *v = present(tree, "v");
    json_t *id = present(tree, "id");
    json_t *op = present(tree, "op");
    json_t *app = present(tree, "app");

    if (v && !is_whole(v, 1, 1))
        blame(post, "unsupported_version", "v");
    if (id && is_id(id))
        post->id = json_string_value(id);
    else if (id)
        blame(post, "invalid_field", "id");
    for (int i = 0; i < CHECK_OPS; i++)
        if (json_is_string(op) && strcmp(json_string_value(op), ops[i]) == 0)
            post->op = i;
    if (post->op == CHECK_NONE)
        blame(post, op ? "unknown_op" : "missing_field", "op");
    if (is_name(app, 32, NAMES))
        post->app = json_string_value(app);
    else
        blame(post, app ? "invalid_field" : "missing_field", "app");
    if (is_account(json_object_get(tree, "account")) && post->op != CHECK_LIST)
        post->account = json_string_value(json_object_get(tree, "account"));
    if (post->op == CHECK_NONE)
        return;
    if (post->op != CHECK_LIST)
        read_targets(check, post, tree);
    read_unknown(post, tree);
    read_options(post, tree);
}

void check_command(struct check *check, struct post *post)
{
    const struct sim_command *command = post->command;
    json_t *tree;

    post->msgpack = check_is_msgpack(command);
    post->name = acd_arena_format(check->arena, CHECK_COMMANDS ":%d:%lld", command->partition,
                                  (long long)command->offset)
                     .data;
    post->id = post->name;
    post->op = CHECK_NONE;
    post->at_ms = command->timestamp_ms;
    tree = check_decode(check, check_unframe(command->value), post->msgpack);
    if (tree)
        read_tree(check, post, tree);
    else
        post->code = "malformed";
    if (post->code || post->op == CHECK_LIST)
        post->order_count = 0;
}
