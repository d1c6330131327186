/* Words that a person can read and grep can find. */
#include "tail_line.h"

#include <inttypes.h>
#include <string.h>

#include "../bytes.h"
#include "../render.h"
#include "../terminal.h"

/* No app has a colon in its name, so these keys are no account's. */
#define OWN_PREFIX "accountd:"

static const char *const change_names[] = {
    [ACD_CTL_CHANGE_SET] = "set",
    [ACD_CTL_CHANGE_DELETED] = "deleted",
    [ACD_CTL_CHANGE_TOMBSTONE] = "tombstone",
    [ACD_CTL_CHANGE_OWN] = "accountd",
    [ACD_CTL_CHANGE_OTHER] = "other",
};

const char *acd_ctl_change_name(enum acd_ctl_change_kind kind)
{
    return change_names[kind];
}

enum acd_ctl_change_kind acd_ctl_change_kind(struct acd_slice key, struct acd_slice value, const json_t *body)
{
    if (key.len >= strlen(OWN_PREFIX) && memcmp(key.data, OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
        return ACD_CTL_CHANGE_OWN;
    if (!value.data)
        return ACD_CTL_CHANGE_TOMBSTONE;
    if (json_is_true(json_object_get(body, "deleted")))
        return ACD_CTL_CHANGE_DELETED;
    return json_is_string(json_object_get(body, "account")) ? ACD_CTL_CHANGE_SET : ACD_CTL_CHANGE_OTHER;
}

static bool matches(const char *wanted, struct acd_slice text)
{
    return !wanted || !*wanted || (text.data && acd_slice_is(text, wanted));
}

/* In the reply itself, or in one of its entries. */
static bool account_matches(const char *wanted, const json_t *body)
{
    const json_t *results = json_object_get(body, "results");
    bool found = matches(wanted, acd_ctl_text(body, "account"));

    for (size_t i = 0; i < json_array_size(results) && !found; i++)
        found = matches(wanted, acd_ctl_text(json_array_get(results, i), "account"));
    return found;
}

static bool code_matches(const char *wanted, const json_t *body)
{
    const json_t *results = json_object_get(body, "results");
    bool found = matches(wanted, acd_ctl_text(json_object_get(body, "error"), "code"));

    for (size_t i = 0; i < json_array_size(results) && !found; i++)
        found = matches(wanted, acd_ctl_text(json_object_get(json_array_get(results, i), "error"), "code"));
    return found;
}

bool acd_ctl_filter_reply(const struct acd_ctl_filter *filter, const json_t *body)
{
    return matches(filter->app, acd_ctl_text(body, "app")) && matches(filter->op, acd_ctl_text(body, "op")) &&
           matches(filter->id, acd_ctl_text(body, "id")) && account_matches(filter->account, body) &&
           code_matches(filter->code, body);
}

bool acd_ctl_filter_change(const struct acd_ctl_filter *filter, struct acd_slice key)
{
    const char *slash = key.len ? memchr(key.data, '/', key.len) : NULL;
    size_t app = slash ? (size_t)(slash - key.data) : key.len;

    return matches(filter->app, acd_slice(key.data, app)) &&
           matches(filter->account, slash ? acd_slice(slash + 1, key.len - app - 1) : acd_slice(NULL, 0));
}

static void put_text(FILE *out, const char *before, struct acd_slice text)
{
    if (!text.data)
        return;
    (void)fputs(before, out);
    acd_ctl_put(out, text);
}

static void put_number(FILE *out, const char *before, const json_t *number)
{
    if (json_is_integer(number))
        (void)fprintf(out, "%s%" PRId64, before, (int64_t)json_integer_value(number));
}

/* " demo/alice", as far as there is an app and an account. */
static void put_names(FILE *out, const json_t *body)
{
    put_text(out, " ", acd_ctl_text(body, "app"));
    put_text(out, "/", acd_ctl_text(body, "account"));
}

void acd_ctl_reply_line(FILE *out, struct acd_slice key, const json_t *body)
{
    const json_t *source = json_object_get(body, "source");
    const json_t *error = json_object_get(body, "error");
    const json_t *counts = json_object_get(body, "counts");

    if (!acd_ctl_text(body, "status").data) {
        (void)fputs("other ", out);
        acd_ctl_show_bytes(out, key);
        return;
    }
    acd_ctl_put(out, acd_ctl_text(body, "status"));
    put_text(out, " ", acd_ctl_text(body, "op"));
    put_names(out, body);
    put_text(out, " code=", acd_ctl_text(error, "code"));
    put_number(out, " revision=", json_object_get(body, "revision"));
    put_number(out, " ok=", json_object_get(counts, "ok"));
    put_number(out, " error=", json_object_get(counts, "error"));
    put_text(out, " id=", acd_ctl_text(body, "id"));
    put_text(out, " source=", acd_ctl_text(source, "topic"));
    put_number(out, ":", json_object_get(source, "partition"));
    put_number(out, ":", json_object_get(source, "offset"));
    put_text(out, " message=", acd_ctl_text(error, "message"));
}

void acd_ctl_change_line(FILE *out, enum acd_ctl_change_kind kind, struct acd_slice key, const json_t *body)
{
    (void)fputs(change_names[kind], out);
    if (kind == ACD_CTL_CHANGE_SET || kind == ACD_CTL_CHANGE_DELETED) {
        put_names(out, body);
        put_text(out, " type=", acd_ctl_text(body, "type"));
        put_number(out, " revision=", json_object_get(body, "revision"));
    } else {
        (void)fputc(' ', out);
        acd_ctl_show_bytes(out, key);
    }
}
