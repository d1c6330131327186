/* A file is read segment by segment; of these a few are under way at a time.
 *
 * A segment's commands are one transaction, and what a segment comes to is settled in the file's order: its
 * rejected lines are written, and then the state, which says where the next one's commands and replies can be
 * found.
 */
#include "job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../client.h"
#include "../terminal.h"
#include "accountd/clock.h"
#include "accountd/text.h"

/* How long an interrupt may go unnoticed. */
#define WAIT_MS 200

/* Rejected lines that are told where no file of them is wanted. */
#define TOLD_MAX 20

#define TEXT_MAX 4096 /* bytes that are kept of a line that is too long */

static enum acd_ctl_exit out_of_memory(void)
{
    acd_ctl_error("out of memory");
    return ACD_CTL_FAILED;
}

int acd_ctl_import_save(struct acd_ctl_import *import, const struct acd_ctl_places *commands,
                        const struct acd_ctl_places *replies)
{
    if (!import->state_path)
        return 0;
    import->state.sha256 = import->sha256;
    import->state.app = import->args->app;
    import->state.on_exists = import->terms.on_exists;
    import->state.cluster = import->post.cluster ? import->post.cluster : "";
    import->state.topic = import->settings->kafka.commands;
    import->state.run = import->run;
    import->state.commands = *commands;
    import->state.replies = *replies;
    if (acd_ctl_state_save(&import->state, import->state_path) == 0)
        return 0;
    acd_ctl_error("%s: %s", import->state_path, strerror(errno));
    return -1;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;

    return (first > second) - (first < second);
}

static void mark_found(const struct acd_ctl_import *import, struct acd_ctl_segment *segment)
{
    if (import->found_count)
        qsort(import->found, import->found_count, sizeof(*import->found), compare_numbers);
    for (uint32_t i = 0; i < segment->batch_count && import->found_count; i++) {
        const int64_t *first = &segment->lines[segment->batches[i]->lines[0]].number;

        segment->batches[i]->posted =
            bsearch(first, import->found, import->found_count, sizeof(*first), compare_numbers) != NULL;
    }
}

static void add_line(struct acd_ctl_import *import, struct acd_ctl_segment *segment)
{
    const struct acd_ctl_frame *frame = import->lines.frame;
    struct acd_slice record = acd_ctl_frame_record(frame);
    struct acd_ctl_text text = {.number = frame->number, .bytes = record.len, .cut = frame->overlong};
    struct acd_ctl_entry entry;

    if (import->rejects.file)
        text.kept = acd_slice(record.data, text.cut ? acd_utf8_cut(record, TEXT_MAX) : record.len);
    acd_arena_reset(&import->record);
    acd_ctl_lines_entry(&import->lines, &import->record, acd_slice_str(import->args->app), &entry);
    acd_ctl_segment_add(segment, &text, &entry);
}

/* Of a file that is read again, what is settled is stepped over. */
static void fill(struct acd_ctl_import *import, struct acd_ctl_segment *segment)
{
    while (!*import->interrupted && !acd_ctl_segment_full(segment) && acd_ctl_lines_next(&import->lines))
        if (import->lines.frame->number > import->state.number)
            add_line(import, segment);
}

static enum acd_ctl_exit post_segment(struct acd_ctl_import *import, struct acd_ctl_segment *segment)
{
    struct acd_ctl_command_post *commands =
        acd_arena_calloc(&segment->arena, segment->batch_count, sizeof(*commands));
    uint32_t count;

    mark_found(import, segment);
    count = acd_ctl_segment_commands(segment, commands);
    segment->commands = acd_ctl_places_copy(&import->post.commands);
    segment->replies = acd_ctl_places_copy(&import->post.replies);
    if (!segment->commands.offsets || !segment->replies.offsets)
        return out_of_memory();
    import->heard_ms = acd_clock_ms();
    return count ? acd_ctl_poster_all(&import->post, &segment->arena, commands, count) : ACD_CTL_OK;
}

static enum acd_ctl_exit post_next(struct acd_ctl_import *import)
{
    struct acd_ctl_segment *segment = acd_ctl_segment_new(&import->terms);

    if (!segment)
        return out_of_memory();
    fill(import, segment);
    /* What was read of a segment when the interrupt came would not be the same segment later. */
    if (*import->interrupted || segment->line_count == 0) {
        acd_ctl_segment_free(segment);
        return ACD_CTL_OK;
    }
    import->window[import->segments++] = segment;
    return post_segment(import, segment);
}

static void take_reply(struct acd_ctl_import *import, const rd_kafka_message_t *message)
{
    struct acd_slice id = acd_ctl_header(message, "kafka_correlationId");

    if (id.len < strlen(import->run) || memcmp(id.data, import->run, strlen(import->run)) != 0)
        return;
    for (uint32_t i = 0; i < import->segments; i++) {
        struct acd_ctl_batch *batch = acd_ctl_segment_find(import->window[i], id);

        if (!batch)
            continue;
        import->heard_ms = acd_clock_ms();
        acd_ctl_segment_answer(import->window[i], batch, acd_slice(message->payload, message->len));
        return;
    }
}

static enum acd_ctl_exit hear(struct acd_ctl_import *import, int timeout_ms)
{
    rd_kafka_message_t *message = acd_ctl_poster_reply(&import->post, timeout_ms);

    while (message) {
        take_reply(import, message);
        rd_kafka_message_destroy(message);
        message = acd_ctl_poster_reply(&import->post, 0);
    }
    if (import->segments == 0 || import->window[0]->unanswered == 0 ||
        acd_clock_ms() - import->heard_ms <= import->args->timeout_ms)
        return ACD_CTL_OK;
    acd_ctl_progress_clear(&import->progress);
    acd_ctl_error("no reply on topic %s within %g s%s%s", import->settings->kafka.replies,
                  import->args->timeout_ms / 1000.0, import->post.link.trouble[0] ? ": " : "",
                  import->post.link.trouble);
    return ACD_CTL_TIMEOUT;
}

static void tell_rejected(struct acd_ctl_import *import, const struct acd_ctl_line *line)
{
    int64_t told = import->state.counts[ACD_CTL_REJECTED_LINE];

    if (import->rejects.file || told > TOLD_MAX)
        return;
    acd_ctl_progress_clear(&import->progress);
    if (told == TOLD_MAX)
        acd_ctl_error("more lines are rejected; --rejects FILE keeps them all");
    else
        acd_ctl_error("line %" PRId64 "%s%.*s: %.*s%s%.*s: %.*s", line->number, line->account.len ? ", " : "",
                      ACD_SLICE_ARGS(line->account), ACD_SLICE_ARGS(line->code),
                      line->field.len ? " at " : "", ACD_SLICE_ARGS(line->field),
                      ACD_SLICE_ARGS(line->message));
}

static int settle_line(struct acd_ctl_import *import, struct acd_arena *arena,
                       const struct acd_ctl_line *line)
{
    import->state.number = line->number;
    import->state.read++;
    if (line->outcome == ACD_CTL_REJECTED_LINE) {
        tell_rejected(import, line);
        if (acd_ctl_rejects_add(&import->rejects, arena, line))
            return -1;
    }
    import->state.counts[line->outcome]++;
    return 0;
}

/* The first segment is answered: it leaves the window. */
static enum acd_ctl_exit settle(struct acd_ctl_import *import)
{
    struct acd_ctl_segment *segment = import->window[0];
    const struct acd_ctl_segment *next = import->segments > 1 ? import->window[1] : NULL;
    int failed = 0;

    for (uint32_t i = 0; i < segment->line_count && !failed; i++)
        failed = settle_line(import, &segment->arena, &segment->lines[i]);
    if (failed || acd_ctl_rejects_sync(&import->rejects)) {
        acd_ctl_error("--rejects %s: %s", import->args->rejects, strerror(errno));
        return ACD_CTL_FAILED;
    }
    import->state.rejects_bytes = import->rejects.bytes;
    failed = acd_ctl_import_save(import, next ? &next->commands : &import->post.commands,
                                 next ? &next->replies : &import->post.replies);
    acd_ctl_segment_free(segment);
    import->segments--;
    memmove(import->window, import->window + 1, import->segments * sizeof(*import->window));
    return failed ? ACD_CTL_FAILED : ACD_CTL_OK;
}

static bool goes_on(const struct acd_ctl_import *import)
{
    return !*import->interrupted && !import->lines.ended;
}

/* Brings one more segment on its way where there is room, and hears what has come. What an earlier process
 * has posted may all be answered already, and it was a window full at most: before that is here, no reply is
 * read that would find no segment. */
static enum acd_ctl_exit work_on(struct acd_ctl_import *import)
{
    bool room = import->segments < ACD_CTL_IMPORT_WINDOW && goes_on(import);
    enum acd_ctl_exit result = room ? post_next(import) : ACD_CTL_OK;

    if (result != ACD_CTL_OK || (room && import->found_count))
        return result;
    return hear(import, room || !import->segments ? 0 : WAIT_MS);
}

enum acd_ctl_exit acd_ctl_import_work(struct acd_ctl_import *import)
{
    enum acd_ctl_exit result = ACD_CTL_OK;

    while (result == ACD_CTL_OK && *import->interrupted < 2 && (import->segments || goes_on(import))) {
        result = work_on(import);
        while (result == ACD_CTL_OK && import->segments && import->window[0]->unanswered == 0)
            result = settle(import);
        acd_ctl_progress_show(&import->progress,
                              &(struct acd_ctl_extent){.done = import->state.read,
                                                       .bytes = acd_ctl_source_position(import->lines.source),
                                                       .size = acd_ctl_source_size(import->lines.source)});
    }
    return result;
}
