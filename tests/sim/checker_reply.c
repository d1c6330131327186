/* Which reply is whose, and what it says. */
#include "checker.h"

static const char *const op_names[] = {"create", "edit", "delete", "get", "list"};

/* ---- Whose */

static struct post *post_at(struct check *check, int64_t partition, int64_t offset)
{
    for (uint32_t i = 0; i < check->history->command_count; i++)
        if (check->posts[i].command->partition == partition && check->posts[i].command->offset == offset)
            return &check->posts[i];
    return NULL;
}

static bool take_reply(struct check *check, const struct sim_message *message)
{
    struct acd_slice type;
    bool typed = check_header(message->headers, message->header_count, "content-type", &type);
    json_t *reply =
        typed ? check_decode(check, message->value, acd_slice_is(type, "application/msgpack")) : NULL;
    json_t *source = json_object_get(reply, "source");
    struct post *post = post_at(check, json_integer_value(json_object_get(source, "partition")),
                                json_is_integer(json_object_get(source, "offset"))
                                    ? json_integer_value(json_object_get(source, "offset"))
                                    : CHECK_NONE);

    if (!reply)
        return check_fail(check, "the reply at %s:%d:%lld cannot be read: %.*s", message->topic,
                          message->partition, (long long)message->offset, ACD_SLICE_ARGS(message->value));
    if (!post)
        return check_fail(check, "the reply at %s:%d:%lld is of a command that nobody posted: %s",
                          message->topic, message->partition, (long long)message->offset,
                          check_dump(check, reply));
    if (post->message)
        return check_fail(check, "%s has two replies, at %s:%d:%lld and %d:%lld:\n  %s\n  %s", post->name,
                          message->topic, post->message->partition, (long long)post->message->offset,
                          message->partition, (long long)message->offset, check_dump(check, post->reply),
                          check_dump(check, reply));
    if (acd_slice_is(type, "application/msgpack") != post->msgpack)
        return check_fail(check, "%s is answered in the other encoding: %.*s", post->name,
                          ACD_SLICE_ARGS(type));
    post->message = message;
    post->reply = reply;
    return true;
}

/* The commands of a partition are answered in their order, in one partition of the reply topic. */
static bool in_order(struct check *check, int32_t partition)
{
    const struct post *before = NULL;

    for (uint32_t i = 0; i < check->history->command_count; i++) {
        const struct post *post = &check->posts[i];

        if (post->command->partition != partition)
            continue;
        if (before && (post->message->partition != before->message->partition ||
                       post->message->offset < before->message->offset))
            return check_fail(check, "%s is answered at %d:%lld, before %s at %d:%lld", post->name,
                              post->message->partition, (long long)post->message->offset, before->name,
                              before->message->partition, (long long)before->message->offset);
        before = post;
    }
    return true;
}

/* ---- What it says */

static void read_record(struct check *check, const json_t *record, struct outcome *said)
{
    const char *type = json_string_value(json_object_get(record, "type"));
    const char *created = json_string_value(json_object_get(record, "created_at"));
    const char *updated = json_string_value(json_object_get(record, "updated_at"));

    said->record = true;
    said->revision = json_integer_value(json_object_get(record, "revision"));
    said->admin = type && strcmp(type, "admin") == 0;
    said->created_ms = created ? check_time_parse(created) : CHECK_NONE;
    said->updated_ms = updated ? check_time_parse(updated) : CHECK_NONE;
    said->profile = check_intern(check, json_object_get(record, "profile"));
}

static struct outcome read_outcome(struct check *check, const json_t *tree)
{
    const json_t *error = json_object_get(tree, "error");
    const json_t *record = json_object_get(tree, "record");
    const json_t *revision = json_object_get(error ? error : tree, "revision");
    struct outcome said = {.revision = revision ? json_integer_value(revision) : CHECK_NONE,
                           .changed = json_is_true(json_object_get(tree, "changed"))};
    const char *code = json_string_value(json_object_get(error, "code"));

    if (error)
        said.code = code ? code : "nothing";
    else if (record)
        read_record(check, record, &said);
    return said;
}

/* A command that ended the process again and again was set aside unread. How often it did cannot be seen from
 * here; that it had no effect can. */
static void read_internal(struct post *post)
{
    const json_t *error = json_object_get(post->reply, "error");
    const char *code = json_string_value(json_object_get(error, "code"));

    if (!code || strcmp(code, "internal") != 0)
        return;
    post->code = "internal";
    post->field = NULL;
    post->id = post->name;
    post->op = CHECK_NONE;
    post->app = NULL;
    post->account = NULL;
    post->dry_run = false;
    post->order_count = 0;
}

static void read_reply(struct check *check, struct post *post)
{
    const json_t *results = json_object_get(post->reply, "results");

    post->said = acd_arena_calloc(check->arena, post->order_count, sizeof(*post->said));
    for (uint32_t i = 0; i < post->order_count; i++)
        post->said[i] = read_outcome(check, post->many ? json_array_get(results, i) : post->reply);
}

/* ---- The whole of it */

static json_t *error_of(const struct outcome *outcome, const json_t *actual)
{
    const json_t *given = json_object_get(actual, "error");
    json_t *error = json_pack("{ss}", "code", outcome->code);
    json_t *message = json_object_get(given, "message");

    /* The text and the field are for people; the code is what was decided. */
    if (json_string_length(message) > 0)
        json_object_set(error, "message", message);
    if (json_is_string(json_object_get(given, "field")))
        json_object_set(error, "field", json_object_get(given, "field"));
    if (strcmp(outcome->code, "revision_conflict") == 0)
        json_object_set_new(error, "revision", json_integer(outcome->revision));
    return error;
}

/* Adds the result of one order to the reply, or to its entry of `results`. */
static void add_outcome(struct check *check, const struct post *post, uint32_t number,
                        const struct outcome *outcome, json_t *into, const json_t *actual)
{
    struct account account = {
        true, outcome->admin, outcome->revision, outcome->created_ms, outcome->updated_ms, outcome->profile};

    json_object_set_new(into, "status", json_string(outcome->code ? "error" : "ok"));
    if (outcome->code) {
        json_object_set_new(into, "error", error_of(outcome, actual));
    } else if (outcome->record) {
        json_object_set_new(into, "record", check_record(check, post->orders[number].subject, &account));
    } else {
        json_object_set_new(into, "revision", json_integer(outcome->revision));
        json_object_set_new(into, "changed", json_boolean(outcome->changed));
    }
}

static void add_results(struct check *check, const struct post *post, const struct outcome *outcomes,
                        json_t *into)
{
    const json_t *actual = json_object_get(post->reply, "results");
    json_t *results = json_array();
    uint32_t good = 0;

    for (uint32_t i = 0; i < post->order_count; i++) {
        json_t *entry = json_pack("{ss}", "account", check->subjects[post->orders[i].subject].name);

        add_outcome(check, post, i, &outcomes[i], entry, json_array_get(actual, i));
        json_array_append_new(results, entry);
        good += !outcomes[i].code;
    }
    json_object_set_new(into, "results", results);
    json_object_set_new(into, "counts",
                        json_pack("{sisi}", "ok", (int)good, "error", (int)(post->order_count - good)));
    json_object_set_new(into, "status",
                        json_string(good == post->order_count ? "ok"
                                    : good                    ? "partial"
                                                              : "error"));
    if (good == 0)
        json_object_set_new(into, "error", error_of(&outcomes[0], post->reply));
}

/* A command that is refused as a whole. */
static void add_refusal(const struct post *post, json_t *into)
{
    const json_t *field = json_object_get(json_object_get(post->reply, "error"), "field");
    json_t *error = error_of(&(struct outcome){.code = post->code}, post->reply);

    if (post->field || field)
        json_object_set_new(error, "field", json_string(post->field ? post->field : "none"));
    json_object_set_new(into, "status", json_string("error"));
    json_object_set_new(into, "error", error);
}

static void add_list(const struct post *post, json_t *into)
{
    static const char *const names[] = {"rows", "total", "next"};

    json_object_set_new(into, "status", json_string("ok"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_object_set(into, names[i], json_object_get(post->reply, names[i]));
}

static json_t *expect(struct check *check, const struct post *post, const struct outcome *outcomes)
{
    json_t *reply = check_own(check, json_pack("{si ss ss s{ss si sI}}", "v", 1, "id", post->id, "at",
                                               check_time(check, post->at_ms), "source", "topic",
                                               CHECK_COMMANDS, "partition", (int)post->command->partition,
                                               "offset", (json_int_t)post->command->offset));

    if (post->op != CHECK_NONE)
        json_object_set_new(reply, "op", json_string(op_names[post->op]));
    if (post->app)
        json_object_set_new(reply, "app", json_string(post->app));
    if (post->account)
        json_object_set_new(reply, "account", json_string(post->account));
    if (post->dry_run)
        json_object_set_new(reply, "dry_run", json_true());
    if (post->code)
        add_refusal(post, reply);
    else if (post->op == CHECK_LIST)
        add_list(post, reply);
    else if (post->many)
        add_results(check, post, outcomes, reply);
    else
        add_outcome(check, post, 0, &outcomes[0], reply, post->reply);
    return reply;
}

bool check_reply(struct check *check, const struct post *post, const struct outcome *outcomes)
{
    json_t *expected = expect(check, post, outcomes);

    if (json_equal(expected, post->reply))
        return true;
    return check_fail(check, "%s: the reply is\n  %s\nshould be\n  %s", post->name,
                      check_dump(check, post->reply), check_dump(check, expected));
}

/* ---- Lists: what holds whatever else is going on */

static bool check_row(const json_t *row, const json_t *before)
{
    const char *name = json_string_value(json_object_get(row, "account"));
    const char *created = json_string_value(json_object_get(row, "created_at"));
    const char *name_before = json_string_value(json_object_get(before, "account"));
    int64_t ms = created ? check_time_parse(created) : CHECK_NONE;
    int64_t ms_before;

    if (!name || ms == CHECK_NONE || !json_is_string(json_object_get(row, "type")))
        return false;
    if (!before)
        return true;
    ms_before = check_time_parse(json_string_value(json_object_get(before, "created_at")));
    return ms > ms_before || (ms == ms_before && strcmp(name, name_before) > 0);
}

static bool check_rows(struct check *check, const struct post *post)
{
    const json_t *rows = json_object_get(post->reply, "rows");
    const json_t *total = json_object_get(post->reply, "total");
    const json_t *next = json_object_get(post->reply, "next");
    const json_t *before = NULL;
    const json_t *row;
    size_t i;

    if (!json_is_array(rows) || !json_is_integer(total) || !next ||
        (!json_is_null(next) && !json_is_string(next)) || (int64_t)json_array_size(rows) > post->limit ||
        json_integer_value(total) < (int64_t)json_array_size(rows))
        return check_fail(check, "%s: no answer to a list: %s", post->name, check_dump(check, post->reply));
    json_array_foreach(rows, i, row)
    {
        if (!check_row(row, before))
            return check_fail(check, "%s: row %zu is out of order or lacks something: %s", post->name, i,
                              check_dump(check, post->reply));
        before = row;
    }
    return true;
}

/* ---- Headers and key */

static bool check_headers(struct check *check, const struct post *post)
{
    static const char *const echoes[] = {"kafka_correlationId", "correlation_id", "traceparent",
                                         "tracestate"};
    const struct sim_command *command = post->command;
    const struct sim_message *message = post->message;
    const char *status = json_string_value(json_object_get(post->reply, "status"));
    const char *code = json_string_value(json_object_get(json_object_get(post->reply, "error"), "code"));
    struct acd_slice sent, back;

    for (size_t i = 0; i < sizeof(echoes) / sizeof(echoes[0]); i++) {
        bool had = check_header(command->headers, command->header_count, echoes[i], &sent);

        if (check_header(message->headers, message->header_count, echoes[i], &back) != had ||
            (had && !acd_slice_equal(sent, back)))
            return check_fail(check, "%s: the reply does not bring back %s as it was", post->name, echoes[i]);
    }
    if (!status || !check_header(message->headers, message->header_count, "accountd-status", &back) ||
        !acd_slice_is(back, status))
        return check_fail(check, "%s: the header accountd-status is not the reply's status: %s", post->name,
                          check_dump(check, post->reply));
    if (check_header(message->headers, message->header_count, "accountd-code", &back) != (code != NULL) ||
        (code && !acd_slice_is(back, code)))
        return check_fail(check, "%s: the header accountd-code is not the reply's code: %s", post->name,
                          check_dump(check, post->reply));
    return true;
}

static bool check_key(struct check *check, const struct post *post)
{
    struct acd_slice key = post->command->key.data ? post->command->key : acd_slice_str(post->account);

    return (key.data != NULL) == (post->message->key.data != NULL) && acd_slice_equal(key, post->message->key)
               ? true
               : check_fail(check, "%s: the reply has the key %.*s, should have %.*s", post->name,
                            ACD_SLICE_ARGS(post->message->key), ACD_SLICE_ARGS(key));
}

bool check_replies(struct check *check)
{
    for (uint32_t i = 0; i < check->history->reply_count; i++)
        if (!take_reply(check, &check->history->replies[i]))
            return false;
    for (uint32_t i = 0; i < check->history->command_count; i++) {
        struct post *post = &check->posts[i];

        if (!post->message)
            return check_fail(check, "%s has no reply: %.*s", post->name,
                              ACD_SLICE_ARGS(post->command->value));
        read_internal(post);
        if (!check_headers(check, post) || !check_key(check, post))
            return false;
        if (post->code || post->op == CHECK_LIST)
            if (!check_reply(check, post, NULL))
                return false;
        if (!post->code && post->op == CHECK_LIST && !check_rows(check, post))
            return false;
        read_reply(check, post);
    }
    for (int32_t i = 0; i < check->history->partitions; i++)
        if (!in_order(check, i))
            return false;
    return true;
}
