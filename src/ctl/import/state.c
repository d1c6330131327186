/* JSON, written to a file beside and renamed. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *places_json(const struct acd_ctl_places *places)
{
    json_t *array = json_array();

    for (int32_t i = 0; i < places->count; i++)
        (void)json_array_append_new(array, json_integer(places->offsets[i]));
    return array;
}

static char *state_text(const struct acd_ctl_state *state)
{
    const int64_t *counts = state->counts;
    json_t *json = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "v", 1,
        "sha256", state->sha256, "app", state->app, "on_exists", state->on_exists, "cluster", state->cluster,
        "topic", state->topic, "run", state->run, "done", (int)state->done, "broken", (int)state->broken,
        "line", (json_int_t)state->number, "read", (json_int_t)state->read, "created",
        (json_int_t)counts[ACD_CTL_CREATED], "updated", (json_int_t)counts[ACD_CTL_UPDATED], "skipped",
        (json_int_t)counts[ACD_CTL_SKIPPED], "rejected", (json_int_t)counts[ACD_CTL_REJECTED_LINE],
        "rejects_bytes", (json_int_t)state->rejects_bytes, "commands", places_json(&state->commands),
        "replies", places_json(&state->replies));
    char *text = json_dumps(json, JSON_INDENT(1));

    json_decref(json);
    return text;
}

/* A name that is there after a loss of power needs its folder on disk. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int result = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0)
        (void)close(fd);
    free(folder);
    return result;
}

static int write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    int result = -1;

    if (!file)
        return -1;
    if (fputs(text, file) >= 0 && fputc('\n', file) == '\n' && fflush(file) == 0 && fsync(fileno(file)) == 0)
        result = 0;
    return fclose(file) ? -1 : result;
}

int acd_ctl_state_save(const struct acd_ctl_state *state, const char *path)
{
    char *text = state_text(state);
    char *fresh = NULL;
    int result = -1;

    if (text && asprintf(&fresh, "%s~", path) >= 0) {
        result = write_file(fresh, text);
        if (result == 0)
            result = rename(fresh, path);
        if (result == 0)
            result = sync_folder(path);
        free(fresh);
    } else {
        errno = ENOMEM;
    }
    free(text);
    return result;
}

static bool read_places(const json_t *array, struct acd_ctl_places *out)
{
    out->count = (int32_t)json_array_size(array);
    out->offsets = calloc((size_t)out->count + 1, sizeof(*out->offsets));
    for (int32_t i = 0; out->offsets && i < out->count; i++)
        out->offsets[i] = json_integer_value(json_array_get(array, (size_t)i));
    return out->offsets && out->count > 0;
}

static bool read_state(struct acd_ctl_state *out, json_t *json)
{
    json_int_t number;
    json_int_t read;
    json_int_t rejects_bytes;
    json_int_t counts[ACD_CTL_OUTCOME_COUNT] = {0};
    json_t *commands;
    json_t *replies;
    int version;
    int done;
    int broken = 0; /* what an earlier version wrote lacks it */

    if (json_unpack(
            json,
            "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s?b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "v",
            &version, "sha256", &out->sha256, "app", &out->app, "on_exists", &out->on_exists, "cluster",
            &out->cluster, "topic", &out->topic, "run", &out->run, "done", &done, "broken", &broken, "line",
            &number, "read", &read, "created", &counts[ACD_CTL_CREATED], "updated", &counts[ACD_CTL_UPDATED],
            "skipped", &counts[ACD_CTL_SKIPPED], "rejected", &counts[ACD_CTL_REJECTED_LINE], "rejects_bytes",
            &rejects_bytes, "commands", &commands, "replies", &replies) ||
        version != 1)
        return false;
    out->done = done;
    out->broken = broken;
    out->number = number;
    out->read = read;
    out->rejects_bytes = rejects_bytes;
    for (int i = 0; i < ACD_CTL_OUTCOME_COUNT; i++)
        out->counts[i] = counts[i];
    return read_places(commands, &out->commands) && read_places(replies, &out->replies);
}

enum acd_ctl_state_is acd_ctl_state_load(struct acd_ctl_state *out, const char *path)
{
    FILE *file = fopen(path, "re");
    json_t *json;

    *out = (struct acd_ctl_state){0};
    if (!file)
        return errno == ENOENT ? ACD_CTL_STATE_NONE : ACD_CTL_STATE_BAD;
    json = json_loadf(file, 0, NULL);
    (void)fclose(file);
    out->json = json;
    if (json && read_state(out, json))
        return ACD_CTL_STATE_LOADED;
    acd_ctl_state_free(out);
    errno = 0;
    return ACD_CTL_STATE_BAD;
}

void acd_ctl_state_free(struct acd_ctl_state *state)
{
    free(state->commands.offsets);
    free(state->replies.offsets);
    json_decref(state->json);
    *state = (struct acd_ctl_state){0};
}
