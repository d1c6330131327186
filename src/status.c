/* The line is made of the metrics, so that the two cannot differ. */
#include "status.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "accountd/clock.h"
#include "accountd/metrics.h"
#include "accountd/service.h"

#define TELL_EVERY_MS 1000

/* 1234567 as 1,234,567; people read this. */
static const char *grouped(int64_t number, char *out, size_t bytes)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)(number > 0 ? number : 0));
    size_t at = 0;

    for (int i = 0; i < len && at + 2 < bytes; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static void describe(int64_t rate, char *out, size_t bytes)
{
    int64_t partitions = acd_metric_get(ACD_METRIC_ASSIGNED_PARTITIONS);
    char lag[32];
    char per_second[32];
    char count[32];

    snprintf(out, bytes, "%s partition%s, lag %s, %s commands/s", grouped(partitions, count, sizeof(count)),
             partitions == 1 ? "" : "s", grouped(acd_metric_get(ACD_METRIC_LAG), lag, sizeof(lag)),
             grouped(rate, per_second, sizeof(per_second)));
}

void status_tell(struct status *status, const char *waits_for)
{
    char text[sizeof(status->text)];
    int64_t now = acd_clock_ms();
    int64_t passed = now - status->told_at_ms;
    int64_t commands = acd_metric_commands();
    bool waits = waits_for && *waits_for;

    if (waits)
        snprintf(text, sizeof(text), "waiting: %.*s", (int)sizeof(text) - 16, waits_for);
    else if (passed >= TELL_EVERY_MS)
        describe((commands - status->commands) * 1000 / passed, text, sizeof(text));
    else
        return;
    if (!waits || passed >= TELL_EVERY_MS) {
        status->told_at_ms = now;
        status->commands = commands;
    }
    /* A line more would be another message. */
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    if (strcmp(text, status->text) == 0)
        return;
    memcpy(status->text, text, sizeof(text));
    acd_notify("STATUS=%s", text);
}
