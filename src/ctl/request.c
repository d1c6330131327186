/* Arguments to JSON. */
#include "request.h"

#include <string.h>

#include "accountd/account.h"
#include "accountd/clock.h"
#include "accountd/text.h"
#include "moment.h"
#include "terminal.h"

/* Who wants all wants few round trips: the largest page there is (contract, section 2). */
#define PAGE_OF_ALL 1000

static enum acd_ctl_exit check_accounts(const struct acd_ctl_args *args)
{
    const char *name = acd_ctl_command_names[args->command];

    if (args->command == ACD_CTL_LIST || (args->command == ACD_CTL_EXPORT && args->all)) {
        if (args->account_count == 0)
            return ACD_CTL_OK;
        acd_ctl_error("%s%s takes no accounts; see accountctl help %s", name,
                      args->command == ACD_CTL_EXPORT ? " --all" : "", name);
    } else if (args->account_count == 0) {
        acd_ctl_error("%s which account? See accountctl help %s", name, name);
    } else if (args->account_count > ACD_CTL_ACCOUNTS_MAX) {
        acd_ctl_error("%s: %u accounts are too many, one command takes %d", name, args->account_count,
                      ACD_CTL_ACCOUNTS_MAX);
    } else {
        return ACD_CTL_OK;
    }
    return ACD_CTL_USAGE;
}

static enum acd_ctl_exit check_changes(const struct acd_ctl_args *args)
{
    bool cleared = false;
    bool merged = false;

    for (uint32_t i = 0; i < args->change_count; i++) {
        const struct acd_ctl_change *change = &args->changes[i];

        if (!change->custom && change->value && strcmp(change->name, "custom") == 0) {
            acd_ctl_error("--set custom: custom fields are set by --custom KEY=VALUE");
            return ACD_CTL_USAGE;
        }
        cleared = cleared || (!change->custom && strcmp(change->name, "custom") == 0);
        merged = merged || change->custom;
    }
    if (cleared && merged) {
        acd_ctl_error("--unset custom removes all custom fields; --custom and --unset-custom exclude it");
        return ACD_CTL_USAGE;
    }
    if (args->command == ACD_CTL_EDIT && !args->change_count && !args->type && args->if_revision < 0) {
        acd_ctl_error("edit what? See accountctl help edit");
        return ACD_CTL_USAGE;
    }
    return ACD_CTL_OK;
}

/* Takes the value over; false when it is NULL, which is how jansson says "not UTF-8". */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool put_text(json_t *object, const char *key, const char *text)
{
    return !text || put(object, key, json_string(text));
}

static bool put_flag(json_t *object, const char *key, bool flag)
{
    return !flag || put(object, key, json_true());
}

static bool put_accounts(json_t *request, const struct acd_ctl_args *args)
{
    json_t *accounts;
    bool ok = true;

    if (args->account_count == 0)
        return true;
    if (args->account_count == 1)
        return put_text(request, "account", args->accounts[0]);
    accounts = json_array();
    for (uint32_t i = 0; ok && i < args->account_count; i++)
        ok = json_array_append_new(accounts, json_string(args->accounts[i])) == 0;
    return put(request, "accounts", accounts) && ok;
}

/* A number for a field that is one, as far as the text is; what is none, the daemon refuses by name. */
static json_t *field_value(const struct acd_ctl_change *change)
{
    enum acd_field field = acd_field_find(acd_slice_str(change->name));
    int64_t number;

    if (!change->value)
        return json_null();
    if (!change->custom && field != ACD_FIELD_COUNT && acd_field_rules[field].kind == ACD_FIELD_UINT32 &&
        acd_int_parse(acd_slice_str(change->value), &number))
        return json_integer(number);
    return json_string(change->value);
}

static bool put_profile(json_t *request, const struct acd_ctl_args *args)
{
    json_t *profile = json_object();
    json_t *custom = json_object();
    bool ok = true;

    for (uint32_t i = 0; ok && i < args->change_count; i++)
        ok = put(args->changes[i].custom ? custom : profile, args->changes[i].name,
                 field_value(&args->changes[i]));
    if (json_object_size(custom) > 0)
        ok = put(profile, "custom", json_incref(custom)) && ok;
    json_decref(custom);
    if (json_object_size(profile) > 0 || args->command == ACD_CTL_EDIT)
        ok = put(request, "profile", json_incref(profile)) && ok;
    json_decref(profile);
    return ok;
}

static bool put_fields(json_t *request, const char *fields)
{
    json_t *names;
    bool ok = true;

    if (!fields)
        return true;
    names = json_array();
    while (ok && fields) {
        const char *comma = strchr(fields, ',');
        size_t len = comma ? (size_t)(comma - fields) : strlen(fields);

        ok = json_array_append_new(names, json_stringn(fields, len)) == 0;
        fields = comma ? comma + 1 : NULL;
    }
    return put(request, "fields", names) && ok;
}

/* A time as people write it, for one as the contract does. */
static bool put_moment(json_t *object, const char *key, const char *text)
{
    char time[ACD_TIME_BYTES];
    int64_t ms;

    if (!text || !acd_ctl_moment_read(text, acd_clock_wall_ms(), &ms))
        return put_text(object, key, text);
    acd_time_format(ms, time);
    return put_text(object, key, time);
}

json_t *acd_ctl_request_build(const struct acd_ctl_args *args, const char *after)
{
    json_t *request = json_object();
    bool list_all = args->all && args->command == ACD_CTL_LIST;
    int64_t limit = list_all && args->limit == 0 ? PAGE_OF_ALL : args->limit;
    /* Somebody confirmed it, or it is a dry run, which deletes nothing. */
    bool confirm = args->command == ACD_CTL_DELETE && args->account_count > 1;

    if (put(request, "v", json_integer(1)) && put_text(request, "op", acd_ctl_command_names[args->command]) &&
        put_text(request, "app", args->app) && put_accounts(request, args) &&
        put_text(request, "type", args->type) && put_profile(request, args) &&
        (args->if_revision < 0 || put(request, "if_revision", json_integer(args->if_revision))) &&
        put_text(request, "on_exists", args->on_exists) && put_flag(request, "confirm", confirm) &&
        put_flag(request, "dry_run", args->dry_run) &&
        (limit == 0 || put(request, "limit", json_integer(limit))) && put_text(request, "after", after) &&
        put_flag(request, "all", args->all && args->command == ACD_CTL_EXPORT) &&
        put_text(request, "format", args->format) && put_fields(request, args->fields) &&
        put_text(request, "compression", args->compression) &&
        put_moment(request, "created_after", args->created_after) &&
        put_moment(request, "created_before", args->created_before) &&
        put_moment(request, "updated_after", args->updated_after))
        return request;
    json_decref(request);
    return NULL;
}

enum acd_ctl_exit acd_ctl_request_check(const struct acd_ctl_args *args)
{
    enum acd_ctl_exit result = check_accounts(args);
    json_t *request;

    if (result != ACD_CTL_OK)
        return result;
    if (!args->app || !*args->app) {
        acd_ctl_error("which app? Give --app, or set ACCOUNTCTL_APP");
        return ACD_CTL_USAGE;
    }
    if (args->command == ACD_CTL_LIST && args->all && args->after) {
        acd_ctl_error("--all begins at the start; --after excludes it");
        return ACD_CTL_USAGE;
    }
    result = check_changes(args);
    if (result != ACD_CTL_OK)
        return result;
    request = acd_ctl_request_build(args, args->after);
    if (!request) {
        acd_ctl_error("%s: an argument is not UTF-8", acd_ctl_command_names[args->command]);
        return ACD_CTL_USAGE;
    }
    json_decref(request);
    return ACD_CTL_OK;
}
