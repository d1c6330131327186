/* One line an account; a record as "field: value" lines. */
#include "render.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "accountd/arena.h"
#include "terminal.h"

struct acd_slice acd_ctl_text(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);

    return acd_slice(json_string_value(member), json_string_length(member));
}

enum acd_ctl_exit acd_ctl_status(const json_t *reply)
{
    struct acd_slice status = acd_ctl_text(reply, "status");

    if (acd_slice_is(status, "ok"))
        return ACD_CTL_OK;
    return acd_slice_is(status, "partial") ? ACD_CTL_PARTIAL : ACD_CTL_FAILED;
}

/* "create bob: account_exists: account bob exists (field account)" */
static void render_error(const struct acd_ctl_args *args, struct acd_slice account, const json_t *error)
{
    struct acd_slice code = acd_ctl_text(error, "code");
    struct acd_slice message = acd_ctl_text(error, "message");
    struct acd_slice field = acd_ctl_text(error, "field");

    acd_ctl_error("%s%s%.*s: %.*s: %.*s%s%.*s%s", acd_ctl_command_names[args->command],
                  account.len ? " " : "", ACD_SLICE_ARGS(account), ACD_SLICE_ARGS(code),
                  ACD_SLICE_ARGS(message), field.len ? " (field " : "", ACD_SLICE_ARGS(field),
                  field.len ? ")" : "");
}

static const char *done(const struct acd_ctl_args *args)
{
    static const char *const plain[] = {"created", "edited", "deleted"};
    static const char *const dry[] = {"would create", "would edit", "would delete"};

    if (args->command == ACD_CTL_CREATE && args->on_exists && strcmp(args->on_exists, "update") == 0)
        return args->dry_run ? "would create or edit" : "created or edited";
    return (args->dry_run ? dry : plain)[args->command];
}

static void render_change(FILE *out, const struct acd_ctl_args *args, struct acd_slice account,
                          const json_t *result)
{
    json_int_t revision = json_integer_value(json_object_get(result, "revision"));
    bool changed = json_is_true(json_object_get(result, "changed"));

    if (changed || args->command != ACD_CTL_CREATE)
        (void)fprintf(out, "%s ", done(args));
    acd_ctl_put(out, account);
    if (!changed)
        (void)fputs(args->command == ACD_CTL_CREATE ? " exists: nothing to change" : ": nothing to change",
                    out);
    (void)fprintf(out, " (revision %" PRId64 ")\n", (int64_t)revision);
}

static void render_value(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        acd_ctl_put(out, acd_slice(json_string_value(value), json_string_length(value)));
    else if (json_is_integer(value))
        (void)fprintf(out, "%" PRId64, (int64_t)json_integer_value(value));
    else
        (void)json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* `prefix` is written before each name. */
static void render_members(FILE *out, const json_t *object, const char *prefix)
{
    const char *name;
    const json_t *value;

    /* jansson's foreach asks for a mutable object. */
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        name = json_object_iter_key(at);
        value = json_object_iter_value(at);
        if (json_is_object(value)) {
            render_members(out, value, strcmp(name, "profile") == 0 ? "" : "custom.");
            continue;
        }
        (void)fputs(prefix, out);
        acd_ctl_put(out, acd_slice_str(name));
        (void)fputs(": ", out);
        render_value(out, value);
        (void)fputc('\n', out);
    }
}

static void render_result(FILE *out, const struct acd_ctl_args *args, const json_t *result)
{
    struct acd_slice account = acd_ctl_text(result, "account");

    if (!acd_slice_is(acd_ctl_text(result, "status"), "ok"))
        render_error(args, account, json_object_get(result, "error"));
    else if (args->command == ACD_CTL_GET)
        render_members(out, json_object_get(result, "record"), "");
    else if (args->command != ACD_CTL_EXPORT)
        render_change(out, args, account, result);
}

void acd_ctl_render_results(FILE *out, const struct acd_ctl_args *args, const json_t *reply)
{
    const json_t *results = json_object_get(reply, "results");
    bool records = false;

    if (!json_is_array(results)) {
        render_result(out, args, reply);
        return;
    }
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);

        if (records && json_object_get(result, "record"))
            (void)fputc('\n', out);
        records = records || json_object_get(result, "record");
        render_result(out, args, result);
    }
}
