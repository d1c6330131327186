/* How an import begins and ends.
 *
 * One that goes on fences the process before, looks which commands are there, and posts the
 * others; they have the same ids, since a segment is made of the same lines.
 */
#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "../suffix.h"
#include "../terminal.h"
#include "accountd/clock.h"
#include "accountd/text.h"
#include "job.h"

/* A command has room for one whole record at least, and stays below what brokers take by default. */
#define COMMAND_BYTES ((size_t)512 * 1024)

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted++;
}

static enum acd_ctl_exit out_of_memory(void)
{
    acd_ctl_error("out of memory");
    return ACD_CTL_FAILED;
}

/* --- what is to be imported, and whether it was begun before --- */

static bool is_same(const char *what, const char *now, const char *then)
{
    if (strcmp(now, then) == 0)
        return true;
    acd_ctl_error("--resume: %s is another than when the import was begun", what);
    return false;
}

static enum acd_ctl_exit begin_anew(struct acd_ctl_import *import)
{
    unsigned char bytes[8];
    char hex[17];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        acd_ctl_error("the system has no random bytes");
        return ACD_CTL_FAILED;
    }
    /* Of the file, and of this import of it: with signed commands an id is good for once. */
    acd_hex_format(bytes, sizeof(bytes), hex);
    (void)snprintf(import->run, sizeof(import->run), "import-%.8s%.8s", import->sha256, hex);
    return ACD_CTL_OK;
}

static enum acd_ctl_exit go_on(struct acd_ctl_import *import)
{
    const struct acd_ctl_state *before = &import->before;

    if (!is_same("the file", import->sha256, before->sha256) ||
        !is_same("--app", import->args->app, before->app) ||
        !is_same("--on-exists", import->terms.on_exists, before->on_exists) ||
        !is_same("the command topic", import->settings->kafka.commands, before->topic))
        return ACD_CTL_FAILED;
    (void)snprintf(import->run, sizeof(import->run), "%s", before->run);
    import->state.number = before->number;
    import->state.read = before->read;
    import->state.rejects_bytes = before->rejects_bytes;
    /* What could not be read then may be readable now, and is told again otherwise. */
    import->state.done = before->done && !before->broken;
    memcpy(import->state.counts, before->counts, sizeof(before->counts));
    return ACD_CTL_OK;
}

static enum acd_ctl_exit read_state(struct acd_ctl_import *import)
{
    unsigned char digest[32];

    if (import->args->dry_run || !acd_ctl_source_is_file(import->lines.source)) {
        if (!import->args->resume)
            return begin_anew(import);
        acd_ctl_error("--resume: what is no file cannot be read again");
        return ACD_CTL_USAGE;
    }
    if (asprintf(&import->state_path, "%s" ACD_CTL_STATE_SUFFIX, import->path) < 0)
        return out_of_memory();
    if (acd_ctl_source_digest(import->lines.source, digest)) {
        acd_ctl_error("%s: %s", import->path, interrupted ? "interrupted" : strerror(errno));
        return interrupted ? ACD_CTL_INTERRUPTED : ACD_CTL_FAILED;
    }
    acd_hex_format(digest, sizeof(digest), import->sha256);
    switch (acd_ctl_state_load(&import->before, import->state_path)) {
    case ACD_CTL_STATE_LOADED:
        if (import->args->resume)
            return go_on(import);
        if (import->before.done)
            return begin_anew(import);
        acd_ctl_error("%s was imported up to line %" PRId64
                      " and interrupted: --resume goes on; without %s it "
                      "begins anew",
                      import->path, import->before.number, import->state_path);
        return ACD_CTL_FAILED;
    case ACD_CTL_STATE_NONE:
        return begin_anew(import);
    default:
        acd_ctl_error("%s: %s", import->state_path, errno ? strerror(errno) : "is no state of an import");
        return ACD_CTL_FAILED;
    }
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat first;
    struct stat second;

    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Under a name that says something else the file could not be imported. */
static bool is_misnamed(const char *path, enum acd_format format)
{
    struct acd_ctl_suffix suffix = acd_ctl_suffix_of(path);

    if (suffix.has_compression)
        return true;
    if (format == ACD_CSV)
        return suffix.has_format && suffix.format != ACD_CSV;
    return suffix.has_format && (suffix.format == ACD_CSV || suffix.format == ACD_MSGPACK);
}

static enum acd_ctl_exit open_rejects(struct acd_ctl_import *import)
{
    const char *path = import->args->rejects;
    enum acd_format format = import->lines.frame->format;

    if (path && is_same_file(path, import->path)) {
        acd_ctl_error("--rejects %s: this is the file that is imported", path);
        return ACD_CTL_USAGE;
    }
    if (path && is_misnamed(path, format)) {
        acd_ctl_error("--rejects %s: the file will be %s, not packed; give it another name", path,
                      format == ACD_CSV ? "csv" : "ndjson");
        return ACD_CTL_USAGE;
    }
    import->rejects.format = format;
    import->rejects.csv = &import->lines.csv;
    if (acd_ctl_rejects_open(&import->rejects, path, import->state.rejects_bytes) == 0)
        return ACD_CTL_OK;
    acd_ctl_error("--rejects %s: %s", path, strerror(errno));
    return ACD_CTL_FAILED;
}

/* --- what an earlier process has posted --- */

static void note_found(void *context, struct acd_slice id)
{
    struct acd_ctl_import *import = context;
    size_t len = strlen(import->run);
    int64_t number;
    int64_t *more;

    if (id.len <= len + 1 || memcmp(id.data, import->run, len) != 0 || id.data[len] != '-' ||
        !acd_int_parse(acd_slice(id.data + len + 1, id.len - len - 1), &number))
        return;
    more = reallocarray(import->found, import->found_count + 1, sizeof(*more));
    if (!more) {
        (void)out_of_memory();
        exit(ACD_CTL_FAILED);
    }
    import->found = more;
    import->found[import->found_count++] = number;
}

/* --- Kafka --- */

static enum acd_ctl_exit catch_up(struct acd_ctl_import *import)
{
    const struct acd_ctl_state *before = &import->before;
    enum acd_ctl_exit result;

    if (!is_same("the cluster", import->post.cluster ? import->post.cluster : "", before->cluster))
        return ACD_CTL_FAILED;
    result = acd_ctl_poster_return(&import->post, &before->commands, &before->replies);
    if (result == ACD_CTL_OK)
        result = acd_ctl_poster_find(&import->post, note_found, import);
    return result;
}

static enum acd_ctl_exit open_kafka(struct acd_ctl_import *import)
{
    struct acd_ctl_poster *post = &import->post;
    bool resumed = import->before.json != NULL && import->args->resume;
    char id[512];
    enum acd_ctl_exit result = acd_ctl_poster_open(post, import->settings, import->args);

    if (result != ACD_CTL_OK)
        return result;
    if (!resumed && acd_ctl_import_save(import, &post->commands, &post->replies))
        return ACD_CTL_FAILED;
    (void)snprintf(id, sizeof(id), "%s-%s", import->settings->kafka.group, import->run);
    result = acd_ctl_poster_begin(post, id);
    if (result == ACD_CTL_OK && resumed)
        result = catch_up(import);
    import->terms.partitions = post->commands.count;
    return result == ACD_CTL_OK ? acd_ctl_poster_listen(post) : result;
}

/* --- what is said in the end --- */

static void sum_up(const struct acd_ctl_import *import)
{
    const int64_t *counts = import->state.counts;

    if (import->args->json) {
        json_t *json = json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "read", (json_int_t)import->state.read, "created",
            (json_int_t)counts[ACD_CTL_CREATED], "updated", (json_int_t)counts[ACD_CTL_UPDATED], "skipped",
            (json_int_t)counts[ACD_CTL_SKIPPED], "rejected", (json_int_t)counts[ACD_CTL_REJECTED_LINE],
            "dry_run", (int)import->args->dry_run, "complete",
            (int)(import->state.done && !import->state.broken));

        (void)json_dumpf(json, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(json);
        return;
    }
    (void)printf("%s%" PRId64 " lines read: %" PRId64 " created, %" PRId64 " updated, %" PRId64
                 " skipped, %" PRId64 " rejected\n",
                 import->args->dry_run ? "a dry run, nothing is changed: " : "", import->state.read,
                 counts[ACD_CTL_CREATED], counts[ACD_CTL_UPDATED], counts[ACD_CTL_SKIPPED],
                 counts[ACD_CTL_REJECTED_LINE]);
}

static enum acd_ctl_exit rate(const struct acd_ctl_state *state)
{
    int64_t rejected = state->counts[ACD_CTL_REJECTED_LINE];

    if (rejected == 0)
        return ACD_CTL_OK;
    return rejected == state->read ? ACD_CTL_FAILED : ACD_CTL_PARTIAL;
}

static enum acd_ctl_exit complete(struct acd_ctl_import *import)
{
    import->state.done = true;
    import->state.broken = import->lines.error != NULL;
    if (acd_ctl_import_save(import, &import->post.commands, &import->post.replies))
        return ACD_CTL_FAILED;
    if (!import->lines.error)
        return rate(&import->state);
    if (import->state.number == 0)
        acd_ctl_error("%s: before the first record ends: %s; nothing is imported", import->path,
                      import->lines.error);
    else
        acd_ctl_error("%s: after line %" PRId64 ": %s; %sthe lines before are imported", import->path,
                      import->state.number, import->lines.error,
                      import->args->dry_run ? "without --dry-run " : "");
    return ACD_CTL_FAILED;
}

static enum acd_ctl_exit finish(struct acd_ctl_import *import, enum acd_ctl_exit result)
{
    acd_ctl_progress_clear(&import->progress);
    if (result == ACD_CTL_OK &&
        (!interrupted || (import->lines.ended && !import->segments && !import->lines.error)))
        result = complete(import);
    else if (import->state_path)
        acd_ctl_error("%s after line %" PRId64 "; the same command with --resume goes on",
                      result == ACD_CTL_OK ? "interrupted" : "ended", import->state.number);
    else
        acd_ctl_error("%s; what came of the lines up to %" PRId64 " is known",
                      result == ACD_CTL_OK ? "interrupted" : "ended", import->state.number);
    sum_up(import);
    return result == ACD_CTL_OK && !import->state.done ? ACD_CTL_INTERRUPTED : result;
}

static enum acd_ctl_exit run(struct acd_ctl_import *import)
{
    enum acd_ctl_exit result = read_state(import);

    if (result != ACD_CTL_OK)
        return result;
    if (import->state.done) {
        /* It was complete before: nothing is left to do, and its state stays as it is. */
        sum_up(import);
        return rate(&import->state);
    }
    result = open_rejects(import);
    if (result == ACD_CTL_OK)
        result = open_kafka(import);
    if (result != ACD_CTL_OK)
        return result;
    acd_ctl_progress_begin(&import->progress, "lines", import->state.read);
    return finish(import, acd_ctl_import_work(import));
}

static void release(struct acd_ctl_import *import)
{
    for (uint32_t i = 0; i < import->segments; i++)
        acd_ctl_segment_free(import->window[i]);
    acd_ctl_poster_close(&import->post);
    acd_ctl_lines_close(&import->lines);
    acd_arena_free(&import->record);
    acd_ctl_state_free(&import->before);
    free(import->found);
    free(import->state_path);
    free(import);
}

enum acd_ctl_exit acd_ctl_import(const struct acd_settings *settings, const struct acd_ctl_args *args)
{
    struct acd_ctl_import *import = calloc(1, sizeof(*import));
    struct sigaction action = {.sa_handler = interrupt};
    size_t command_bytes = (size_t)settings->limits.command_bytes;
    enum acd_ctl_exit result;

    if (!import)
        return out_of_memory();
    acd_arena_init(&import->record);
    import->settings = settings;
    import->args = args;
    import->path = args->accounts[0];
    import->interrupted = &interrupted;
    import->terms = (struct acd_ctl_import_terms){.app = args->app,
                                                  .on_exists = args->on_exists ? args->on_exists : "error",
                                                  .run = import->run,
                                                  .dry_run = args->dry_run,
                                                  .command_bytes = command_bytes < COMMAND_BYTES
                                                                       ? command_bytes
                                                  : COMMAND_BYTES};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    if (acd_ctl_lines_open(&import->lines, &(struct acd_ctl_source_wish){import->path, args->format,
                                                                         args->compression, &interrupted}) ==
        0)
        result = run(import);
    else
        result = interrupted ? ACD_CTL_INTERRUPTED : ACD_CTL_FAILED;
    if (acd_ctl_rejects_close(&import->rejects, args->rejects)) {
        acd_ctl_error("--rejects %s: %s", args->rejects, strerror(errno));
        result = ACD_CTL_FAILED;
    }
    release(import);
    return result;
}

/* --- the command line --- */

static bool is_word(const char *text, const char *const *words)
{
    while (*words && strcmp(*words, text) != 0)
        words++;
    return *words != NULL;
}

static bool check_word(const char *option, const char *text, const char *const *words)
{
    if (!text || is_word(text, words))
        return true;
    acd_ctl_error("--%s %s is not known; see accountctl help import", option, text);
    return false;
}

/* The daemon's rule for names of apps; the name of the account is one that is good. */
static bool check_app(const char *app)
{
    struct acd_member name = {acd_slice_str("account"), {.kind = ACD_STRING, .string = acd_slice_str("a")}};
    struct acd_value record = {.kind = ACD_MAP, .count = 1, .members = &name};
    struct acd_ctl_entry entry;
    struct acd_arena arena;

    acd_arena_init(&arena);
    acd_ctl_entry_read(&arena, acd_slice_str(app), &record, &entry);
    if (entry.refusal.code != ACD_OK)
        acd_ctl_error("--app %s: %.*s", app, ACD_SLICE_ARGS(entry.refusal.message));
    acd_arena_free(&arena);
    return entry.refusal.code == ACD_OK;
}

enum acd_ctl_exit acd_ctl_import_check(const struct acd_ctl_args *args)
{
    static const char *const on_exists[] = {"error", "update", "skip", NULL};
    static const char *const formats[] = {"ndjson", "json", "csv", "msgpack", NULL};
    static const char *const compressions[] = {"none", "gzip", "zstd", NULL};

    if (args->account_count != 1)
        acd_ctl_error("import which file? One, or - for stdin; see accountctl help import");
    else if (!args->app || !*args->app)
        acd_ctl_error("which app? Give --app, or set ACCOUNTCTL_APP");
    else if (args->resume && args->dry_run)
        acd_ctl_error("--dry-run changes nothing, so there is nothing to --resume");
    else if (args->rejects && strcmp(args->rejects, "-") == 0)
        acd_ctl_error("--rejects -: the summary goes to stdout; name a file");
    else if (check_app(args->app) && check_word("on-exists", args->on_exists, on_exists) &&
             check_word("format", args->format, formats) &&
             check_word("compression", args->compression, compressions))
        return ACD_CTL_OK;
    return ACD_CTL_USAGE;
}
