/* A command, all the way from its bytes to its reply.
 *
 * Whatever it is, it gets a reply that can be read, the same in both encodings, and it changes accounts only
 * as its outcomes say. What was decoded is written anew in the other encoding (and in another form of it):
 * the decision must be the same. Then, memory runs out at some allocation: nothing may be left over.
 *
 * The input: a byte of choices, a byte that says at which allocation memory runs out, the record's value. */
#include <setjmp.h>

#include "accountd/codec.h"
#include "accountd/export.h"
#include "accountd/reply.h"
#include "accountd/text.h"
#include "fuzz.h"

#define NOW_MS  INT64_C(1750000000000)
#define PER_APP 2 /* admins */

/* The bits of the first byte. */
#define CONTENT_TYPE 7u  /* one of content_types */
#define APPS_LISTED  8u  /* only some apps are served */
#define OUTSIDE      16u /* key or headers were refused before */
#define FORM_SHIFT   4   /* how the value is written anew */

static const char *const content_types[CONTENT_TYPE + 1] = {NULL,
                                                            "application/json",
                                                            "application/msgpack",
                                                            " application/x-msgpack ; a=b",
                                                            "application/vnd.msgpack",
                                                            "text/js",
                                                            "APPLICATION/JSON",
                                                            ";"};

static const struct acd_custom twenty[ACD_CUSTOM_MAX] = {
#define X(tag)                                                                                               \
    {                                                                                                        \
        ACD_LITERAL(tag), ACD_LITERAL("v" tag)                                                               \
    }
    X("a"), X("b"), X("c"), X("d"), X("e"), X("f"), X("g"), X("h"), X("i"), X("j"),
    X("k"), X("l"), X("m"), X("n"), X("o"), X("p"), X("q"), X("r"), X("s"), X("t"),
#undef X
};

/* The accounts of the app demo; no other app has any. */
static const struct {
    const char *name;
    struct acd_account account;
} accounts[] = {
    {"alice",
     {.exists = true,
      .type = ACD_GENERAL,
      .revision = 3,
      .created_at_ms = 1700000000000,
      .updated_at_ms = 1700000000001,
      .fields = {[ACD_NICKNAME] = ACD_LITERAL("n"), [ACD_LEVEL] = ACD_LITERAL("3")},
      .custom = twenty,
      .custom_count = 2}},
    {"full",
     {.exists = true,
      .type = ACD_GENERAL,
      .revision = 1,
      .created_at_ms = 1700000000002,
      .updated_at_ms = 1700000000002,
      .custom = twenty,
      .custom_count = ACD_CUSTOM_MAX}},
    {"gone", {.revision = 7}},
    {"root", {.exists = true, .type = ACD_ADMIN, .revision = 1}},
};

#define ACCOUNTS (sizeof(accounts) / sizeof(accounts[0]))

static const struct acd_slice listed[] = {ACD_LITERAL("demo"), ACD_LITERAL("b")};

/* Everything that one command led to. */
struct decision {
    struct acd_value message;
    const char *malformed; /* NULL: `message` holds it */
    struct acd_command command;
    struct acd_refusal refusal; /* of the whole command */
    struct acd_state state;
    struct acd_answer answer;
    struct acd_export file;
    const struct acd_manifest *manifest;
};

static const struct acd_account *account_of(struct acd_slice app, struct acd_slice name)
{
    for (size_t i = 0; i < ACCOUNTS; i++)
        if (acd_slice_is(app, "demo") && acd_slice_is(name, accounts[i].name))
            return &accounts[i].account;
    return &acd_account_none;
}

static struct acd_entry **load(struct acd_arena *arena, struct decision *decision)
{
    const struct acd_command *command = &decision->command;
    struct acd_entry **entries;
    struct acd_app *app;

    acd_state_init(&decision->state, arena, command->target_count);
    entries = acd_state_entries(&decision->state, command);
    for (uint32_t i = 0; i < command->target_count; i++) {
        struct acd_entry *entry = entries[i];

        FUZZ_CHECK(!entry->base, "account %.*s is named twice", ACD_SLICE_ARGS(entry->name));
        entry->base = account_of(command->app, entry->name);
        entry->current = entry->base;
    }
    app = acd_state_app(&decision->state, command->app);
    app->admins_base = acd_slice_is(command->app, "demo");
    app->admins = app->admins_base;
    return entries;
}

/* Rows as the index would give them. */
static struct acd_answer list(struct acd_arena *arena, const struct acd_command *command)
{
    struct acd_row *rows = acd_arena_calloc(arena, ACCOUNTS, sizeof(*rows));
    struct acd_answer answer = {.rows = rows};

    for (size_t i = 0; i < ACCOUNTS; i++) {
        struct acd_slice name = acd_slice_str(accounts[i].name);

        if (!account_of(command->app, name)->exists)
            continue;
        answer.total++;
        if (answer.row_count < command->list_limit)
            rows[answer.row_count++] = (struct acd_row){name, &accounts[i].account};
        else
            answer.more = true;
    }
    return answer;
}

static const struct acd_origin origin = {ACD_LITERAL("account.commands"), 3, 42, NOW_MS};

/* As a batch decides a record. */
static void decide(struct acd_arena *arena, enum acd_encoding encoding, struct acd_slice value,
                   unsigned choices, struct decision *out)
{
    const struct acd_policy policy = {
        .apps = listed, .app_count = choices & APPS_LISTED ? 2 : 0, .admins_per_app = PER_APP};
    const struct acd_refusal outside = {.code = ACD_REPLY_TOPIC_FORBIDDEN,
                                        .field = ACD_LITERAL("kafka_replyTopic"),
                                        .message = ACD_LITERAL("no")};
    struct acd_entry **entries;

    *out = (struct decision){0};
    out->malformed = acd_codec_decode(encoding, value, arena, &out->message);
    if (out->malformed)
        out->refusal = acd_refusal(arena, ACD_MALFORMED, acd_slice(NULL, 0), "%s", out->malformed);
    else
        out->refusal = acd_command_read(&out->message, &policy, choices & OUTSIDE ? &outside : NULL, arena,
                                        &out->command);
    if (out->refusal.code != ACD_OK) {
        out->answer = acd_refuse(out->refusal);
        return;
    }
    entries = load(arena, out);
    out->answer = out->command.op == ACD_LIST ? list(arena, &out->command)
                                              : acd_apply(arena, &out->command, entries, &policy, NOW_MS);
    if (out->command.op == ACD_EXPORT && out->answer.ok_count) {
        int built = acd_export_build(arena, &out->command, &out->answer, acd_slice_str("id"), &origin,
                                     ACD_CHUNK_MAX, &out->file);

        FUZZ_CHECK(built == 0, "the file could not be made");
        out->manifest = &out->file.manifest;
    }
}

/* ---- The decision as text, for comparing */

static void add_refusal(struct acd_buffer *text, const struct acd_refusal *refusal)
{
    acd_buffer_add_str(text, acd_code_text(refusal->code));
    acd_buffer_add_char(text, '(');
    acd_buffer_add_slice(text, refusal->field);
    acd_buffer_add_char(text, ')');
    acd_buffer_add_int(text, refusal->revision);
    acd_buffer_add_char(text, '\n');
}

static struct acd_slice describe(struct acd_arena *arena, const struct decision *decision)
{
    const struct acd_answer *answer = &decision->answer;
    struct acd_buffer text;

    acd_buffer_init(&text, arena, 256);
    acd_buffer_add_str(&text, acd_status_text(answer->status));
    acd_buffer_add_char(&text, ' ');
    add_refusal(&text, &answer->refusal);
    acd_buffer_add_slice(&text, decision->command.id);
    acd_buffer_add_char(&text, '\n');
    for (uint32_t i = 0; i < answer->outcome_count; i++) {
        const struct acd_outcome *outcome = &answer->outcomes[i];

        acd_buffer_add_slice(&text, outcome->account);
        acd_buffer_add_char(&text, outcome->changed ? '*' : ' ');
        acd_buffer_add_int(&text, outcome->revision);
        acd_buffer_add_char(&text, ' ');
        add_refusal(&text, &outcome->refusal);
    }
    for (const struct acd_entry *entry = decision->state.entries; entry; entry = entry->next) {
        acd_buffer_add_slice(&text,
                             acd_changelog_encode(arena, entry->app->name, entry->name, entry->current));
        acd_buffer_add_char(&text, '\n');
    }
    for (uint32_t i = 0; i < answer->row_count; i++)
        acd_buffer_add_slice(&text, answer->rows[i].account);
    if (decision->manifest)
        acd_buffer_add_slice(&text, decision->manifest->sha256);
    return acd_buffer_slice(&text);
}

/* ---- What must be so */

static const struct acd_outcome *outcome_of(const struct acd_answer *answer, struct acd_slice account)
{
    for (uint32_t i = 0; i < answer->outcome_count; i++)
        if (acd_slice_equal(answer->outcomes[i].account, account))
            return &answer->outcomes[i];
    fuzz_fail(__FILE__, __LINE__, "an outcome", "account %.*s has none", ACD_SLICE_ARGS(account));
}

/* A changelog record says all there is to know of an account. */
static void check_changelog(struct acd_arena *arena, const struct acd_entry *entry)
{
    struct acd_slice text = acd_changelog_encode(arena, entry->app->name, entry->name, entry->current);
    struct acd_account back;
    struct acd_slice app;
    struct acd_slice name;
    const char *wrong = acd_changelog_decode(arena, fuzz_exact(arena, text), &app, &name, &back);

    FUZZ_CHECK(!wrong, "the changelog record is refused: %s\n  %.*s", wrong, ACD_SLICE_ARGS(text));
    FUZZ_CHECK(acd_slice_equal(app, entry->app->name) && acd_slice_equal(name, entry->name),
               "another account");
    FUZZ_CHECK(back.exists == entry->current->exists && back.revision == entry->current->revision,
               "another revision: %.*s", ACD_SLICE_ARGS(text));
    FUZZ_CHECK(!back.exists || fuzz_same_account(&back, entry->current), "another account after: %.*s",
               ACD_SLICE_ARGS(text));
}

static void check_changes(struct acd_arena *arena, const struct decision *decision)
{
    const struct acd_command *command = &decision->command;

    for (const struct acd_entry *entry = decision->state.entries; entry; entry = entry->next) {
        const struct acd_outcome *outcome = outcome_of(&decision->answer, entry->name);
        bool changed = entry->current != entry->base;

        FUZZ_CHECK(!changed || (outcome->refusal.code == ACD_OK && outcome->changed && !command->dry_run),
                   "%.*s has changed", ACD_SLICE_ARGS(entry->name));
        FUZZ_CHECK(changed || !outcome->changed || command->dry_run, "%.*s has not changed",
                   ACD_SLICE_ARGS(entry->name));
        FUZZ_CHECK(!changed || entry->current->revision == entry->base->revision + 1,
                   "revision %lld after %lld", (long long)entry->current->revision,
                   (long long)entry->base->revision);
        if (changed)
            check_changelog(arena, entry);
    }
    for (const struct acd_app *app = decision->state.apps; app; app = app->next)
        FUZZ_CHECK(app->admins >= 0 && app->admins <= PER_APP, "%lld admins", (long long)app->admins);
}

static void check_error(const struct acd_value *error)
{
    const struct acd_value *message = acd_value_member(error, "message");
    const struct acd_value *field = acd_value_member(error, "field");

    FUZZ_CHECK(message && message->kind == ACD_STRING && message->string.len > 0,
               "an error without a message");
    FUZZ_CHECK(!field || field->string.len <= ACD_PATH_MAX, "a field of %zu bytes", field->string.len);
}

static void check_results(const struct acd_value *results)
{
    for (uint32_t i = 0; results && i < results->count; i++) {
        const struct acd_value *error = acd_value_member(&results->items[i], "error");

        if (error)
            check_error(error);
    }
}

static struct acd_value read_reply(struct acd_arena *arena, enum acd_encoding encoding,
                                   struct decision *decision)
{
    static const char *const always[] = {"v", "id", "status", "at", "source"};
    struct acd_slice id =
        decision->command.id.len ? decision->command.id : acd_slice_str("account.commands:3:42");
    struct acd_slice bytes = acd_reply_encode(arena, encoding, &decision->command, &decision->answer, id,
                                              &origin, decision->manifest);
    struct acd_value reply;
    const char *wrong = acd_codec_decode(encoding, fuzz_exact(arena, bytes), arena, &reply);

    FUZZ_CHECK(!wrong, "the reply cannot be read: %s\n  %.*s", wrong, ACD_SLICE_ARGS(bytes));
    FUZZ_CHECK(bytes.len <= ACD_REPLY_MAX, "the reply is %zu bytes", bytes.len);
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        FUZZ_CHECK(acd_value_member(&reply, always[i]), "the reply lacks %s: %.*s", always[i],
                   ACD_SLICE_ARGS(bytes));
    return reply;
}

static void check_replies(struct acd_arena *arena, struct decision *decision)
{
    struct acd_value json = read_reply(arena, ACD_ENCODING_JSON, decision);
    struct acd_value msgpack = read_reply(arena, ACD_ENCODING_MSGPACK, decision);
    const struct acd_value *error = acd_value_member(&json, "error");

    FUZZ_CHECK(fuzz_same_value(&json, &msgpack), "the replies differ between the encodings");
    FUZZ_CHECK(!error == (decision->answer.status != ACD_STATUS_ERROR), "status and error do not fit");
    if (error)
        check_error(error);
    check_results(acd_value_member(&json, "results"));
}

/* The same command in the other encoding. */
static void check_other(struct acd_arena *arena, enum acd_encoding encoding, unsigned choices,
                        const struct decision *decision)
{
    enum acd_encoding other = encoding == ACD_ENCODING_JSON ? ACD_ENCODING_MSGPACK : ACD_ENCODING_JSON;
    unsigned form = choices >> FORM_SHIFT & 11u; /* the order of members decides which one is to blame */
    struct acd_slice first = describe(arena, decision);
    struct acd_slice second;
    struct decision again;
    struct acd_buffer out;

    acd_buffer_init(&out, arena, 256);
    if (other == ACD_ENCODING_MSGPACK)
        fuzz_write_msgpack(&out, &decision->message, form);
    else if (!fuzz_write_json(&out, &decision->message, form))
        return;
    decide(arena, other, fuzz_exact(arena, acd_buffer_slice(&out)), choices, &again);
    FUZZ_CHECK(!again.malformed, "malformed as %s: %s\n  %.*s", acd_encoding_content_type(other),
               again.malformed, ACD_SLICE_ARGS(acd_buffer_slice(&out)));
    second = describe(arena, &again);
    FUZZ_CHECK(acd_slice_equal(first, second), "decided differently as %s:\n%.*s\n--- and before:\n%.*s",
               acd_encoding_content_type(other), ACD_SLICE_ARGS(second), ACD_SLICE_ARGS(first));
}

static void run(struct acd_arena *arena, enum acd_encoding encoding, struct acd_slice value, unsigned choices)
{
    struct decision decision;

    decide(arena, encoding, value, choices, &decision);
    check_changes(arena, &decision);
    check_replies(arena, &decision);
    if (!decision.malformed)
        check_other(arena, encoding, choices, &decision);
}

/* As a worker that runs out of memory in the middle of a batch: it drops all and begins anew. */
static void run_out_of_memory(enum acd_encoding encoding, struct acd_slice value, unsigned choices, size_t at)
{
    struct acd_arena arena;
    jmp_buf guard;

    acd_arena_init(&arena);
    arena.guard = &guard;
    fuzz_fail_after = at;
    if (setjmp(guard) == 0)
        run(&arena, encoding, value, choices);
    fuzz_fail_after = 0;
    acd_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    unsigned choices = fuzz_byte(&input);
    size_t memory = fuzz_byte(&input);
    struct acd_slice value = acd_codec_unframe(acd_slice(input.at, input.left));
    enum acd_encoding encoding =
        acd_codec_choose(acd_slice_str(content_types[choices & CONTENT_TYPE]), value);
    struct acd_arena arena;

    if (memory)
        run_out_of_memory(encoding, value, choices, memory);
    acd_arena_init(&arena);
    run(&arena, encoding, value, choices);
    acd_arena_free(&arena);
    return 0;
}
