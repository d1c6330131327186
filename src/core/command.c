/* Reading a command: who it is from and for, then the rest in the contract's order. */
#include "accountd/apply.h"
#include "names.h"
#include "reading.h"

static const struct acd_slice op_words[] = {ACD_LITERAL("create"), ACD_LITERAL("edit"),
                                            ACD_LITERAL("delete"), ACD_LITERAL("get"),
                                            ACD_LITERAL("list"),   ACD_LITERAL("export")};

#define OP_WORDS (sizeof(op_words) / sizeof(op_words[0]))

const char *acd_op_text(enum acd_op op)
{
    return op == ACD_OP_NONE ? NULL : op_words[op - ACD_CREATE].data;
}

enum acd_op acd_op_find(struct acd_slice text)
{
    int place = acd_words_find(op_words, OP_WORDS, text);

    return place < 0 ? ACD_OP_NONE : (enum acd_op)(ACD_CREATE + place);
}

static void read_version(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_V);
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_V));
    struct acd_slice is;
    int64_t version;

    if (!value || (acd_value_integer(value, &version) && version == 1))
        return;
    is = acd_blame_describe(&reading->blame, value);
    acd_blame_add(&reading->blame, ACD_UNSUPPORTED_VERSION, &path,
                  "v is %.*s; this accountd knows version 1 of the contract", ACD_SLICE_ARGS(is));
}

static void read_id(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_ID);
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_ID));

    if (!value)
        return;
    if (value->kind == ACD_STRING && acd_name_is_id(value->string))
        reading->command->id = value->string;
    else
        acd_blame_value(&reading->blame, &path, value, "1 to 64 printable ASCII characters, no blanks");
}

/* The op itself is known since before the scan. */
static void blame_op(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_OP);
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_OP));
    struct acd_slice is, prose;

    if (reading->command->op != ACD_OP_NONE)
        return;
    prose = acd_words_prose(reading->arena, op_words, OP_WORDS);
    if (!value) {
        acd_blame_add(&reading->blame, ACD_MISSING_FIELD, &path, "op is missing; it must be %.*s",
                      ACD_SLICE_ARGS(prose));
        return;
    }
    is = acd_blame_describe(&reading->blame, value);
    acd_blame_add(&reading->blame, ACD_UNKNOWN_OP, &path, "op is %.*s; it must be %.*s", ACD_SLICE_ARGS(is),
                  ACD_SLICE_ARGS(prose));
}

static void read_app(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_APP);
    struct acd_path path = acd_path_member(NULL, acd_member_name(ACD_MEMBER_APP));
    const struct acd_policy *policy = reading->policy;

    if (!value) {
        acd_blame_add(&reading->blame, ACD_MISSING_FIELD, &path, "app is missing");
        return;
    }
    if (value->kind != ACD_STRING || !acd_name_is_app(value->string)) {
        acd_blame_value(&reading->blame, &path, value, "1 to 32 of A-Z a-z 0-9 _ -");
        return;
    }
    reading->command->app = value->string;
    if (policy->app_count && acd_words_find(policy->apps, policy->app_count, value->string) < 0)
        acd_blame_add(&reading->blame, ACD_APP_FORBIDDEN, &path, "app %.*s is not served here",
                      ACD_SLICE_ARGS(value->string));
}

/* A command whose op is not known is refused for that; all that its reply still needs is its account. */
static void read_account_to_repeat(struct acd_reading *reading)
{
    const struct acd_value *value = acd_reading_root(reading, ACD_MEMBER_ACCOUNT);

    if (value && value->kind == ACD_STRING && acd_name_is_account(value->string))
        reading->command->account = value->string;
}

static void read_checked(struct acd_reading *reading)
{
    struct acd_target *targets = NULL;

    read_version(reading);
    read_id(reading);
    blame_op(reading);
    read_app(reading);
    if (reading->command->op == ACD_OP_NONE) {
        read_account_to_repeat(reading);
        return;
    }
    if (reading->command->op != ACD_LIST) {
        acd_read_accounts(reading, &targets);
        acd_read_shared(reading, targets);
        reading->command->targets = targets;
    }
    acd_read_options(reading);
}

struct acd_refusal acd_command_read(const struct acd_value *message, const struct acd_policy *policy,
                                    const struct acd_refusal *outside, struct acd_arena *arena,
                                    struct acd_command *out)
{
    struct acd_reading reading = {
        .blame = {.arena = arena}, .arena = arena, .policy = policy, .command = out};
    const struct acd_value *op;
    const struct acd_value *every;

    *out = (struct acd_command){.op = ACD_OP_NONE};
    if (message->kind != ACD_MAP)
        return acd_refusal(arena, ACD_MALFORMED, acd_slice(NULL, 0), "a command must be one map");
    op = acd_value_member(message, "op");
    if (op && op->kind == ACD_STRING)
        out->op = acd_op_find(op->string);
    acd_scan_message(&reading, message);

    /* "all": false says what its absence says. */
    every = acd_reading_root(&reading, ACD_MEMBER_EVERY);
    if (every && every->kind == ACD_BOOL && !every->boolean)
        reading.scan.root.at[ACD_MEMBER_EVERY] = NULL;

    read_checked(&reading);
    /* Key and headers come after the tables of the contract's section 2. */
    if (outside && outside->code != ACD_OK && acd_blame_counts(&reading.blame, outside->code))
        return *outside;
    return reading.blame.refusal;
}
