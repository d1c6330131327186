/* The source feeds the frame. */
#include "lines.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../terminal.h"

bool acd_ctl_lines_next(struct acd_ctl_lines *lines)
{
    struct acd_ctl_frame *frame = lines->frame;

    while (!lines->ended) {
        struct acd_slice bytes = acd_ctl_source_look(lines->source);
        bool complete = false;

        if (!bytes.data) {
            lines->error = acd_ctl_source_error(lines->source);
            lines->ended = true;
        } else if (bytes.len == 0) {
            lines->ended = true;
            complete = acd_ctl_frame_end(frame);
        } else {
            acd_ctl_source_take(lines->source, acd_ctl_frame_feed(frame, bytes, &complete));
        }
        if (frame->broken) {
            lines->error = frame->broken;
            lines->ended = true;
        }
        if (complete)
            return true;
    }
    return false;
}

static bool read_header(struct acd_ctl_lines *lines)
{
    const char *wrong = NULL;

    if (!acd_ctl_lines_next(lines))
        return lines->error == NULL;
    if (lines->frame->overlong)
        wrong = "the first row is too long, or a quote in it is not closed";
    else
        wrong = acd_ctl_csv_header(&lines->csv, &lines->arena, acd_ctl_frame_record(lines->frame));
    lines->error = wrong;
    return !wrong;
}

int acd_ctl_lines_open(struct acd_ctl_lines *out, const struct acd_ctl_source_wish *wish)
{
    char error[ACD_CTL_SOURCE_ERROR];

    *out = (struct acd_ctl_lines){.source = acd_ctl_source_open(wish, error)};
    acd_arena_init(&out->arena);
    if (!out->source) {
        acd_ctl_error("%s: %s", wish->path, error);
        return -1;
    }
    out->frame = malloc(sizeof(*out->frame));
    if (!out->frame) {
        acd_ctl_error("out of memory");
        return -1;
    }
    acd_ctl_frame_init(out->frame, acd_ctl_source_format(out->source));
    if (out->frame->format != ACD_CSV || read_header(out))
        return 0;
    if (acd_ctl_source_error(out->source))
        acd_ctl_error("%s: %s", wish->path, out->error);
    else
        acd_ctl_error("%s: line %" PRId64 ": %s", wish->path, out->frame->number, out->error);
    return -1;
}

void acd_ctl_lines_close(struct acd_ctl_lines *lines)
{
    acd_ctl_source_close(lines->source);
    free(lines->frame);
    acd_arena_free(&lines->arena);
}

/* A row without cells at its end is one that a spreadsheet has written; without its line end, too, it is one
 * whose end is missing. */
static bool is_cut(const struct acd_ctl_lines *lines, struct acd_arena *arena)
{
    struct acd_slice copy;

    if (!lines->frame->cut)
        return false;
    copy = acd_arena_copy(arena, acd_ctl_frame_record(lines->frame));
    return acd_ctl_csv_cells((char *)(uintptr_t)copy.data, copy.len, NULL, 0) < (int)lines->csv.count;
}

void acd_ctl_lines_entry(const struct acd_ctl_lines *lines, struct acd_arena *arena, struct acd_slice app,
                         struct acd_ctl_entry *out)
{
    const struct acd_ctl_frame *frame = lines->frame;
    struct acd_slice record = acd_ctl_frame_record(frame);

    if (frame->overlong) {
        *out = (struct acd_ctl_entry){0};
        acd_ctl_entry_refuse(out, ACD_MALFORMED, NULL,
                             frame->format == ACD_CSV
                                 ? "the row is longer than 256 KiB, or a quote in it is not closed"
                                 : "the record is longer than 256 KiB");
    } else if (frame->format == ACD_CSV) {
        acd_ctl_csv_row(&lines->csv, arena, app, record, out);
        if (out->refusal.code == ACD_OK && is_cut(lines, arena))
            acd_ctl_entry_refuse(out, ACD_MALFORMED, NULL, "the file ends within the row");
    } else {
        acd_ctl_entry_decode(arena, app, frame->format, record, out);
    }
}
