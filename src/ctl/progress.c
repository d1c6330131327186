/* Rate, time left, and the line that is drawn over. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "accountd/clock.h"
#include "terminal.h"

#define DRAW_EVERY_MS 100
#define BAR_WIDTH     20
#define LINE_BYTES    200

void acd_ctl_progress_begin(struct acd_ctl_progress *out, const char *unit, int64_t before)
{
    *out = (struct acd_ctl_progress){.unit = unit,
                                     .shown = acd_ctl_terminal(stderr),
                                     .began_ms = acd_clock_ms(),
                                     .before = {.done = before}};
}

/* "[####....]  40 %  ". */
static int put_bar(char *out, size_t size, int64_t part, int64_t whole)
{
    char bar[BAR_WIDTH + 1];

    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < part * BAR_WIDTH / whole ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    return snprintf(out, size, "[%s] %3" PRId64 " %%  ", bar, part * 100 / whole);
}

const char *acd_ctl_progress_text(char *out, int size, const struct acd_ctl_progress *progress,
                                  const struct acd_ctl_extent *now, int64_t elapsed_ms)
{
    bool counted = now->total > 0;
    int64_t part = counted ? now->done : now->bytes;
    int64_t whole = counted ? now->total : now->size;
    int64_t fresh = part - (counted ? progress->before.done : progress->before.bytes);
    int64_t rate = elapsed_ms > 0 ? (now->done - progress->before.done) * 1000 / elapsed_ms : 0;
    bool known = whole > 0 && part <= whole;
    int len = known ? put_bar(out, (size_t)size, part, whole) : 0;

    len += snprintf(out + len, (size_t)(size - len), "%" PRId64, now->done);
    if (known && counted)
        len += snprintf(out + len, (size_t)(size - len), " of %" PRId64, whole);
    len += snprintf(out + len, (size_t)(size - len), " %s, %" PRId64 "/s", progress->unit, rate);
    if (known && fresh > 0) {
        int64_t left_s = (int64_t)((double)(whole - part) * (double)elapsed_ms / (double)fresh + 999) / 1000;

        (void)snprintf(out + len, (size_t)(size - len), ", %" PRId64 ":%02" PRId64 " left", left_s / 60,
                       left_s % 60);
    }
    return out;
}

/* True when it is time to draw. */
static bool is_due(struct acd_ctl_progress *progress, int64_t now_ms)
{
    if (!progress->shown || now_ms - progress->drawn_ms < DRAW_EVERY_MS)
        return false;
    progress->drawn_ms = now_ms;
    progress->drawn = true;
    return true;
}

/* A line that is longer than the window is cut by it: what it wraps would stay. */
static void draw(const char *line)
{
    (void)fprintf(stderr, "\r\033[K\033[?7l%s\033[?7h", line);
    (void)fflush(stderr);
}

void acd_ctl_progress_show(struct acd_ctl_progress *progress, const struct acd_ctl_extent *now)
{
    int64_t now_ms = acd_clock_ms();
    char line[LINE_BYTES];

    /* Where an earlier process has left the file is known by the first read that goes on from there. */
    if (progress->before.done && !progress->before.bytes)
        progress->before.bytes = now->bytes;
    if (is_due(progress, now_ms))
        draw(acd_ctl_progress_text(line, sizeof(line), progress, now, now_ms - progress->began_ms));
}

void acd_ctl_progress_wait(struct acd_ctl_progress *progress, const char *what)
{
    int64_t now_ms = acd_clock_ms();
    int64_t waited_s = (now_ms - progress->began_ms) / 1000;
    char line[LINE_BYTES];

    if (waited_s == 0 || !is_due(progress, now_ms))
        return;
    (void)snprintf(line, sizeof(line), "waiting for %s, %" PRId64 ":%02" PRId64, what, waited_s / 60,
                   waited_s % 60);
    draw(line);
}

void acd_ctl_progress_clear(struct acd_ctl_progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    progress->drawn = false;
}

void acd_ctl_progress_end(struct acd_ctl_progress *progress)
{
    acd_ctl_progress_clear(progress);
    progress->shown = false;
}
