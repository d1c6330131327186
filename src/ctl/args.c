/* One table of options says what each takes, and which commands it belongs to. */
#include "args.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/secret.h"
#include "accountd/text.h"
#include "args_suggest.h"
#include "terminal.h"

#define TIMEOUT_MS     10000
#define INTERVAL_MS    1000
#define SECONDS_MAX_MS (24 * 3600 * 1000)

enum {
    CREATE = 1 << ACD_CTL_CREATE,
    EDIT = 1 << ACD_CTL_EDIT,
    DELETE = 1 << ACD_CTL_DELETE,
    LIST = 1 << ACD_CTL_LIST,
    EXPORT = 1 << ACD_CTL_EXPORT,
    REBUILD = 1 << ACD_CTL_REBUILD,
    DLQ = 1 << ACD_CTL_DLQ,
    TAIL = 1 << ACD_CTL_TAIL,
    IMPORT = 1 << ACD_CTL_IMPORT,
    STATUS = 1 << ACD_CTL_STATUS,
    BENCH = 1 << ACD_CTL_BENCH,
    EVERY = (1 << ACD_CTL_COMMAND_COUNT) - 1,
};

/* X(identifier, name, letter or 0, has an argument, commands) */
#define OPTIONS(X)                                                                                           \
    X(BROKERS, "brokers", 0, true, EVERY)                                                                    \
    X(APP, "app", 0, true, EVERY)                                                                            \
    X(CONFIG, "config", 'c', true, EVERY)                                                                    \
    X(KEY, "key", 0, true, EVERY)                                                                            \
    X(TIMEOUT, "timeout", 0, true, EVERY)                                                                    \
    X(JSON, "json", 0, false, EVERY)                                                                         \
    X(PROPERTY, "property", 'X', true, EVERY)                                                                \
    X(HELP, "help", 'h', false, EVERY)                                                                       \
    X(VERSION, "version", 0, false, EVERY)                                                                   \
    X(TYPE, "type", 0, true, CREATE | EDIT | EXPORT)                                                         \
    X(SET, "set", 0, true, CREATE | EDIT)                                                                    \
    X(UNSET, "unset", 0, true, EDIT)                                                                         \
    X(CUSTOM, "custom", 0, true, CREATE | EDIT)                                                              \
    X(UNSET_CUSTOM, "unset-custom", 0, true, EDIT)                                                           \
    X(ON_EXISTS, "on-exists", 0, true, CREATE | IMPORT)                                                      \
    X(IF_REVISION, "if-revision", 0, true, EDIT | DELETE)                                                    \
    X(DRY_RUN, "dry-run", 0, false, CREATE | EDIT | DELETE | DLQ | IMPORT)                                   \
    X(CONFIRM, "confirm", 0, false, DELETE)                                                                  \
    X(LIMIT, "limit", 0, true, LIST | DLQ)                                                                   \
    X(AFTER, "after", 0, true, LIST)                                                                         \
    X(ALL, "all", 0, false, LIST | EXPORT | DLQ)                                                             \
    X(FORMAT, "format", 0, true, EXPORT | IMPORT)                                                            \
    X(COMPRESSION, "compression", 0, true, EXPORT | IMPORT)                                                  \
    X(FIELDS, "fields", 0, true, EXPORT)                                                                     \
    X(FROM_TOPIC, "from-topic", 0, true, EXPORT)                                                             \
    X(CREATED_AFTER, "created-after", 0, true, EXPORT)                                                       \
    X(CREATED_BEFORE, "created-before", 0, true, EXPORT)                                                     \
    X(UPDATED_AFTER, "updated-after", 0, true, EXPORT)                                                       \
    X(OUTPUT, "output", 'o', true, EXPORT)                                                                   \
    X(REJECTS, "rejects", 0, true, IMPORT)                                                                   \
    X(RESUME, "resume", 0, false, IMPORT)                                                                    \
    X(ACCEPT_OFFSETS, "accept-offsets", 0, false, REBUILD)                                                   \
    X(FORCE, "force", 0, false, REBUILD | DLQ)                                                               \
    X(CODE, "code", 0, true, DLQ | TAIL)                                                                     \
    X(SINCE, "since", 0, true, DLQ | TAIL)                                                                   \
    X(RAW, "raw", 0, false, DLQ)                                                                             \
    X(NO_WAIT, "no-wait", 0, false, DLQ)                                                                     \
    X(OP, "op", 0, true, TAIL)                                                                               \
    X(ACCOUNT, "account", 0, true, TAIL)                                                                     \
    X(ID, "id", 0, true, TAIL)                                                                               \
    X(FROM_BEGINNING, "from-beginning", 0, false, TAIL)                                                      \
    X(END_AFTER, "count", 0, true, TAIL)                                                                     \
    X(METRICS, "metrics", 0, true, STATUS)                                                                   \
    X(INTERVAL, "interval", 0, true, STATUS)                                                                 \
    X(ONCE, "once", 0, false, STATUS)                                                                        \
    X(RATE, "rate", 0, true, BENCH)                                                                          \
    X(DURATION, "duration", 0, true, BENCH)                                                                  \
    X(ACCOUNTS, "accounts", 0, true, BENCH)                                                                  \
    X(MIX, "mix", 0, true, BENCH)                                                                            \
    X(BATCH, "batch", 0, true, BENCH)                                                                        \
    X(YES, "yes", 0, false, BENCH)                                                                           \
    X(KEEP, "keep", 0, false, BENCH)

enum option_id {
#define X(id, name, letter, argument, commands) OPTION_##id,
    OPTIONS(X)
#undef X
        OPTION_COUNT
};

/* Which ones were given is noted in 64 bits. */
_Static_assert(OPTION_COUNT <= 64, "more options than bits");

const struct acd_ctl_option acd_ctl_options[OPTION_COUNT] = {
#define X(id, name, letter, argument, commands) [OPTION_##id] = {name, letter, argument, commands},
    OPTIONS(X)
#undef X
};

const size_t acd_ctl_option_count = OPTION_COUNT;

/* The values that getopt returns for long options start beyond all letters. */
#define LONG_BASE 256

static const struct option long_options[OPTION_COUNT + 1] = {
#define X(id, name, letter, argument, commands)                                                              \
    {name, (argument) ? required_argument : no_argument, NULL, LONG_BASE + OPTION_##id},
    OPTIONS(X)
#undef X
};

const char *const acd_ctl_command_names[ACD_CTL_COMMAND_COUNT] = {
#define X(id, name) name,
    ACD_CTL_COMMANDS(X)
#undef X
};

enum acd_ctl_command acd_ctl_command_find(const char *name)
{
    unsigned command = 0;

    while (command < ACD_CTL_COMMAND_COUNT && strcmp(acd_ctl_command_names[command], name) != 0)
        command++;
    return (enum acd_ctl_command)command;
}

static enum option_id option_find(int code)
{
    unsigned id = 0;

    if (code >= LONG_BASE)
        return (enum option_id)(code - LONG_BASE);
    while (id < OPTION_COUNT && acd_ctl_options[id].letter != code)
        id++;
    return (enum option_id)id;
}

static bool read_integer(const char *option, const char *text, int64_t min, int64_t *out)
{
    if (acd_int_parse(acd_slice_str(text), out) && *out >= min)
        return true;
    acd_ctl_error("--%s %s: a number from %d on is expected", option, text, (int)min);
    return false;
}

static bool read_seconds(const char *option, const char *text, int *out)
{
    char *end;
    double ms = 1000 * strtod(text, &end);

    if (end == text || *end || !(ms >= 1 && ms <= SECONDS_MAX_MS)) {
        acd_ctl_error("--%s %s: seconds from 0.001 to a day are expected", option, text);
        return false;
    }
    *out = (int)ms;
    return true;
}

/* Takes NAME=VALUE, or a NAME to be removed. */
static bool add_change(struct acd_ctl_args *args, enum option_id id, char *text)
{
    struct acd_ctl_change *change = &args->changes[args->change_count++];
    bool removal = id == OPTION_UNSET || id == OPTION_UNSET_CUSTOM;
    char *equals = strchr(text, '=');

    change->custom = id == OPTION_CUSTOM || id == OPTION_UNSET_CUSTOM;
    change->name = text;
    if (!removal && equals && equals > text) {
        *equals = '\0';
        change->value = equals + 1;
        return true;
    }
    if (removal && *text && !equals)
        return true;
    acd_ctl_error("--%s %s: %s is expected", acd_ctl_options[id].name, text,
                  removal ? "a name" : "NAME=VALUE");
    return false;
}

static bool take_text(struct acd_ctl_args *args, enum option_id id, const char *text)
{
    const char **texts[OPTION_COUNT] = {
        [OPTION_BROKERS] = &args->brokers,
        [OPTION_APP] = &args->app,
        [OPTION_CONFIG] = &args->config,
        [OPTION_KEY] = &args->key,
        [OPTION_TYPE] = &args->type,
        [OPTION_ON_EXISTS] = &args->on_exists,
        [OPTION_AFTER] = &args->after,
        [OPTION_FORMAT] = &args->format,
        [OPTION_COMPRESSION] = &args->compression,
        [OPTION_FIELDS] = &args->fields,
        [OPTION_OUTPUT] = &args->output,
        [OPTION_CREATED_AFTER] = &args->created_after,
        [OPTION_CREATED_BEFORE] = &args->created_before,
        [OPTION_UPDATED_AFTER] = &args->updated_after,
        [OPTION_FROM_TOPIC] = &args->from_topic,
        [OPTION_CODE] = &args->code,
        [OPTION_REJECTS] = &args->rejects,
        [OPTION_SINCE] = &args->since,
        [OPTION_OP] = &args->op,
        [OPTION_ACCOUNT] = &args->account,
        [OPTION_ID] = &args->id,
        [OPTION_PROPERTY] = &args->properties[args->property_count],
        [OPTION_MIX] = &args->mix,
        [OPTION_METRICS] = &args->metrics[args->metrics_count],
    };

    if (texts[id])
        *texts[id] = text;
    args->property_count += id == OPTION_PROPERTY;
    args->metrics_count += id == OPTION_METRICS;
    return texts[id] != NULL;
}

static bool take_flag(struct acd_ctl_args *args, enum option_id id)
{
    bool *flags[OPTION_COUNT] = {
        [OPTION_JSON] = &args->json,       [OPTION_HELP] = &args->help,
        [OPTION_VERSION] = &args->version, [OPTION_DRY_RUN] = &args->dry_run,
        [OPTION_CONFIRM] = &args->confirm, [OPTION_ALL] = &args->all,
        [OPTION_FORCE] = &args->force,     [OPTION_ACCEPT_OFFSETS] = &args->accept_offsets,
        [OPTION_RAW] = &args->raw,         [OPTION_FROM_BEGINNING] = &args->from_beginning,
        [OPTION_NO_WAIT] = &args->no_wait, [OPTION_RESUME] = &args->resume,
        [OPTION_ONCE] = &args->once,       [OPTION_YES] = &args->yes,
        [OPTION_KEEP] = &args->keep,
    };

    if (flags[id])
        *flags[id] = true;
    return flags[id] != NULL;
}

/* Everybody on this host can read the arguments of a program. */
static bool tells_no_secret(const char *property)
{
    int name = (int)strcspn(property, "=");

    if (!acd_property_tells_secret(property))
        return true;
    acd_ctl_error(
        "-X %.*s: a secret is not for the command line: write it to a file, and give -X %.*s_file=/path",
        name, property, name, property);
    return false;
}

static bool take(struct acd_ctl_args *args, enum option_id id, char *text)
{
    if (id == OPTION_PROPERTY && !tells_no_secret(text))
        return false;
    if (take_text(args, id, text) || take_flag(args, id))
        return true;
    if (id == OPTION_TIMEOUT)
        return args->timeout_given = read_seconds("timeout", text, &args->timeout_ms);
    if (id == OPTION_INTERVAL)
        return read_seconds("interval", text, &args->interval_ms);
    if (id == OPTION_IF_REVISION)
        return read_integer("if-revision", text, 0, &args->if_revision);
    if (id == OPTION_LIMIT)
        return read_integer("limit", text, 1, &args->limit);
    if (id == OPTION_END_AFTER)
        return read_integer("count", text, 1, &args->count);
    if (id == OPTION_RATE)
        return read_integer("rate", text, 1, &args->rate);
    if (id == OPTION_DURATION)
        return read_seconds("duration", text, &args->duration_ms);
    if (id == OPTION_ACCOUNTS)
        return read_integer("accounts", text, 1, &args->key_space);
    if (id == OPTION_BATCH)
        return read_integer("batch", text, 1, &args->batch);
    return add_change(args, id, text);
}

/* The command and its accounts, after getopt has moved them to the end. */
static enum acd_ctl_exit take_operands(struct acd_ctl_args *args, char **operands, uint64_t used)
{
    if (*operands && strcmp(*operands, "help") == 0) {
        args->help = true;
        operands++;
    }
    if (!*operands) {
        if (args->help || args->version)
            return ACD_CTL_OK;
        acd_ctl_error("a command is missing; see accountctl --help");
        return ACD_CTL_USAGE;
    }
    args->command = acd_ctl_command_find(*operands);
    if (args->command == ACD_CTL_COMMAND_COUNT) {
        acd_ctl_args_no_command(*operands);
        return ACD_CTL_USAGE;
    }
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        if ((used & UINT64_C(1) << id) && !(acd_ctl_options[id].commands & 1u << args->command)) {
            acd_ctl_error("%s does not know --%s; see accountctl help %s", *operands,
                          acd_ctl_options[id].name, *operands);
            return ACD_CTL_USAGE;
        }
    }
    for (args->accounts = ++operands; *operands; operands++)
        args->account_count++;
    return ACD_CTL_OK;
}

enum acd_ctl_exit acd_ctl_args_read(struct acd_ctl_args *out, int argc, char **argv)
{
    uint64_t used = 0;
    int code;

    *out = (struct acd_ctl_args){
        .command = ACD_CTL_COMMAND_COUNT,
        .timeout_ms = TIMEOUT_MS,
        .interval_ms = INTERVAL_MS,
        .if_revision = -1,
        .properties = calloc((size_t)argc, sizeof(*out->properties)),
        .changes = calloc((size_t)argc, sizeof(*out->changes)),
        .metrics = calloc((size_t)argc, sizeof(*out->metrics)),
    };
    if (!out->properties || !out->changes || !out->metrics) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    optind = 0; /* makes getopt start anew */
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":c:X:o:h", long_options, NULL)) != -1) {
        enum option_id id;

        if (code == '?' || code == ':') {
            acd_ctl_args_no_option(argv[optind - 1], code == ':', optopt >= LONG_BASE);
            return ACD_CTL_USAGE;
        }
        id = option_find(code);
        used |= UINT64_C(1) << id;
        if (!take(out, id, optarg))
            return ACD_CTL_USAGE;
    }
    return take_operands(out, argv + optind, used);
}

void acd_ctl_args_free(struct acd_ctl_args *args)
{
    free(args->properties);
    free(args->changes);
    free(args->metrics);
}
