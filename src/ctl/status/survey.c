/* The screen. What is wrong stands where the figures would. */
#include "survey.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "../terminal.h"
#include "accountd/text.h"

#define BOLD  "\033[1m"
#define RED   "\033[31m"
#define PLAIN "\033[0m"

struct screen {
    FILE *out;
    bool colour;
};

static void style(const struct screen *screen, const char *code)
{
    if (screen->colour)
        (void)fputs(code, screen->out);
}

static void put(const struct screen *screen, const char *text)
{
    acd_ctl_put(screen->out, acd_slice_str(text));
}

static void put_wrong(const struct screen *screen, const char *text)
{
    style(screen, RED);
    put(screen, text);
    style(screen, PLAIN);
}

/* A whole number, or - where it is not known. */
static void put_count(const struct screen *screen, const char *before, double count)
{
    (void)fputs(before, screen->out);
    if (isnan(count))
        (void)fputc('-', screen->out);
    else
        (void)fprintf(screen->out, "%.0f", count);
}

static void put_offset(const struct screen *screen, int64_t offset, int width)
{
    if (offset < 0)
        (void)fprintf(screen->out, "%*s", width, "-");
    else
        (void)fprintf(screen->out, "%*" PRId64, width, offset);
}

static void print_topics(const struct screen *screen, const struct acd_ctl_cluster *cluster)
{
    for (int i = 0; i < ACD_CTL_TOPIC_COUNT; i++) {
        const struct acd_ctl_topic_state *topic = &cluster->topics[i];

        if (!topic->error)
            continue;
        (void)fputs("  ", screen->out);
        style(screen, RED);
        (void)fprintf(screen->out, "topic of %s ", acd_ctl_topic_roles[i]);
        put(screen, topic->name);
        (void)fprintf(screen->out, ": %s",
                      topic->error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                          ? "missing"
                          : rd_kafka_err2str(topic->error));
        style(screen, PLAIN);
        (void)fputc('\n', screen->out);
    }
}

static void print_partitions(const struct screen *screen, const struct acd_ctl_cluster *cluster)
{
    if (!cluster->partition_count)
        return;
    style(screen, BOLD);
    (void)fprintf(screen->out, "PARTITION %14s %14s %10s  MEMBER", "END", "COMMITTED", "LAG");
    style(screen, PLAIN);
    (void)fputc('\n', screen->out);
    for (int32_t i = 0; i < cluster->partition_count; i++) {
        const struct acd_ctl_partition *at = &cluster->partitions[i];

        (void)fprintf(screen->out, "%9" PRId32 " ", i);
        put_offset(screen, at->end, 14);
        (void)fputc(' ', screen->out);
        put_offset(screen, at->committed, 14);
        (void)fputc(' ', screen->out);
        put_offset(screen, at->lag, 10);
        (void)fputs("  ", screen->out);
        if (at->member >= 0) {
            put(screen, cluster->members[at->member].id);
            (void)fputs(" at ", screen->out);
            put(screen, cluster->members[at->member].host);
        } else {
            (void)fputc('-', screen->out);
        }
        (void)fputc('\n', screen->out);
    }
}

static void print_cluster(const struct screen *screen, const struct acd_ctl_cluster *cluster)
{
    style(screen, BOLD);
    (void)fputs("Kafka ", screen->out);
    style(screen, PLAIN);
    put(screen, cluster->brokers);
    if (cluster->error[0]) {
        (void)fputs(": ", screen->out);
        put_wrong(screen, cluster->error);
        (void)fputc('\n', screen->out);
        return;
    }
    (void)fputs(", group ", screen->out);
    put(screen, cluster->group);
    if (cluster->state[0])
        (void)fprintf(screen->out, ": %s, %d member%s, lag ", cluster->state, cluster->member_count,
                      cluster->member_count == 1 ? "" : "s");
    else
        (void)fputs(": lag ", screen->out);
    put_offset(screen, acd_ctl_cluster_lag(cluster), 0);
    (void)fputc('\n', screen->out);
    print_topics(screen, cluster);
    for (int i = 0; i < 2; i++) {
        const char *error = i ? cluster->offsets_error : cluster->group_error;

        if (!*error)
            continue;
        (void)fputs(i ? "  offsets: " : "  members: ", screen->out);
        put_wrong(screen, error);
        (void)fputc('\n', screen->out);
    }
}

static void print_readiness(const struct screen *screen, const struct acd_ctl_peer *peer)
{
    if (peer->ready) {
        (void)fputs("ready", screen->out);
        return;
    }
    put_wrong(screen, "not ready");
    for (size_t i = 0; i < json_array_size(peer->reasons); i++) {
        const json_t *reason = json_array_get(peer->reasons, i);

        (void)fputs(i ? ", " : ": ", screen->out);
        acd_ctl_put(screen->out, acd_slice(json_string_value(reason), json_string_length(reason)));
    }
}

static void print_rates(const struct screen *screen, const struct acd_ctl_peer *peer)
{
    double seconds = acd_ctl_peer_seconds(peer);
    double sum = 0;
    double p50;

    (void)fputs("  commands ", screen->out);
    if (!(seconds > 0)) {
        put_count(screen, "", acd_ctl_scrape_commands(&peer->now));
        (void)fputs(" since the start\n", screen->out);
        return;
    }
    for (size_t i = 0; i < peer->now.code_count; i++)
        sum += acd_ctl_scrape_gained(&peer->now, &peer->before, i);
    (void)fprintf(screen->out, "%.1f/s", sum / seconds);
    for (size_t i = 0, shown = 0; i < peer->now.code_count; i++) {
        double gained = acd_ctl_scrape_gained(&peer->now, &peer->before, i);

        if (!(gained > 0))
            continue;
        (void)fputs(shown++ ? ", " : " (", screen->out);
        put(screen, peer->now.codes[i].code);
        (void)fprintf(screen->out, " %.1f", gained / seconds);
    }
    p50 = acd_ctl_scrape_quantile(&peer->now, &peer->before, 0.5);
    if (sum > 0)
        (void)fputc(')', screen->out);
    if (!isnan(p50))
        (void)fprintf(screen->out, "; p50 %.1f ms, p99 %.1f ms", 1000 * p50,
                      1000 * acd_ctl_scrape_quantile(&peer->now, &peer->before, 0.99));
    (void)fputc('\n', screen->out);
}

static void print_halts(const struct screen *screen, const double *gauges)
{
    static const struct {
        enum acd_ctl_gauge gauge;
        const char *what;
    } table[] = {{ACD_CTL_GAUGE_HALTED, "halted"}, {ACD_CTL_GAUGE_STUCK, "threads stuck"}};

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!(gauges[table[i].gauge] > 0))
            continue;
        (void)fputs(", ", screen->out);
        style(screen, RED);
        (void)fprintf(screen->out, "%.0f %s", gauges[table[i].gauge], table[i].what);
        style(screen, PLAIN);
    }
}

static void print_peer(const struct screen *screen, const struct acd_ctl_peer *peer)
{
    const double *gauges = peer->now.gauges;

    style(screen, BOLD);
    (void)fputs("accountd ", screen->out);
    style(screen, PLAIN);
    put(screen, peer->address);
    (void)fputs(": ", screen->out);
    if (peer->error[0]) {
        put_wrong(screen, peer->error);
        (void)fputc('\n', screen->out);
        return;
    }
    print_readiness(screen, peer);
    (void)fputs(", version ", screen->out);
    put(screen, peer->now.version);
    put_count(screen, "\n  workers ", gauges[ACD_CTL_GAUGE_WORKERS]);
    put_count(screen, ": ready ", gauges[ACD_CTL_GAUGE_READY_WORKERS]);
    put_count(screen, ", Redis ", gauges[ACD_CTL_GAUGE_REDIS_UP]);
    put_count(screen, ", Kafka ", gauges[ACD_CTL_GAUGE_KAFKA_UP]);
    put_count(screen, "; partitions ", gauges[ACD_CTL_GAUGE_PARTITIONS]);
    put_count(screen, ", lag ", gauges[ACD_CTL_GAUGE_LAG]);
    print_halts(screen, gauges);
    (void)fputc('\n', screen->out);
    print_rates(screen, peer);
    put_count(screen, "  exports open ", gauges[ACD_CTL_GAUGE_EXPORTS_OPEN]);
    put_count(screen, ", running ", gauges[ACD_CTL_GAUGE_EXPORTS_RUNNING]);
    put_count(screen, "; dead letters ", gauges[ACD_CTL_GAUGE_DEAD_LETTERS]);
    if (gauges[ACD_CTL_GAUGE_RESTORE] > 0)
        (void)fprintf(screen->out, "; restore %.0f %%: %.0f of %.0f records left",
                      100 - 100 * gauges[ACD_CTL_GAUGE_RESTORE_LEFT] / gauges[ACD_CTL_GAUGE_RESTORE],
                      gauges[ACD_CTL_GAUGE_RESTORE_LEFT], gauges[ACD_CTL_GAUGE_RESTORE]);
    (void)fputc('\n', screen->out);
}

void acd_ctl_survey_print(FILE *out, const struct acd_ctl_survey *survey, bool colour)
{
    const struct screen screen = {out, colour};
    char at[ACD_TIME_BYTES];

    acd_time_format(survey->at_ms, at);
    (void)fprintf(out, "%s\n", at);
    print_cluster(&screen, &survey->cluster);
    for (size_t i = 0; i < survey->peer_count; i++)
        print_peer(&screen, &survey->peers[i]);
    print_partitions(&screen, &survey->cluster);
}

enum acd_ctl_exit acd_ctl_survey_verdict(const struct acd_ctl_survey *survey)
{
    const struct acd_ctl_cluster *cluster = &survey->cluster;
    bool well = !cluster->group_error[0] && !cluster->offsets_error[0];

    if (cluster->error[0])
        return ACD_CTL_UNREACHABLE;
    for (int i = 0; i < ACD_CTL_TOPIC_COUNT; i++)
        well = well && !cluster->topics[i].error;
    for (size_t i = 0; i < survey->peer_count; i++)
        well = well && acd_ctl_peer_well(&survey->peers[i]);
    return well ? ACD_CTL_OK : ACD_CTL_FAILED;
}
