/* The same for scripts: what is not known is null. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../bytes.h"
#include "accountd/text.h"
#include "survey.h"

/* jansson passes NULL through, which stands for "no memory" at the end: every text is made UTF-8 here. */
static json_t *text(const char *from)
{
    json_t *made = json_string(from);

    return made ? made : json_string("not UTF-8");
}

static json_t *text_or_null(const char *from)
{
    return *from ? text(from) : json_null();
}

static json_t *offset(int64_t from)
{
    return from < 0 ? json_null() : json_integer(from);
}

static json_t *number(double from)
{
    return isfinite(from) ? json_real(from) : json_null();
}

static json_t *count(double from)
{
    return isfinite(from) && fabs(from) < 9e15 ? json_integer((json_int_t)from) : json_null();
}

static json_t *topics_json(const struct acd_ctl_cluster *cluster)
{
    json_t *all = json_array();

    for (int i = 0; i < ACD_CTL_TOPIC_COUNT; i++) {
        const struct acd_ctl_topic_state *topic = &cluster->topics[i];

        (void)json_array_append_new(
            all, json_pack("{s:s,s:o,s:o,s:o}", "role", acd_ctl_topic_roles[i], "topic", text(topic->name),
                           "partitions", offset(topic->partitions), "error",
                           topic->error ? text(rd_kafka_err2str(topic->error)) : json_null()));
    }
    return all;
}

static json_t *partitions_json(const struct acd_ctl_cluster *cluster)
{
    json_t *all = json_array();

    for (int32_t i = 0; i < cluster->partition_count; i++) {
        const struct acd_ctl_partition *at = &cluster->partitions[i];
        const struct acd_ctl_member *member = at->member >= 0 ? &cluster->members[at->member] : NULL;

        (void)json_array_append_new(all, json_pack("{s:i,s:o,s:o,s:o,s:o,s:o,s:o}", "partition", i, "end",
                                                   offset(at->end), "committed", offset(at->committed), "lag",
                                                   offset(at->lag), "member",
                                                   member ? text(member->id) : json_null(), "client",
                                                   member ? text(member->client) : json_null(), "host",
                                                   member ? text(member->host) : json_null()));
    }
    return all;
}

static json_t *cluster_json(const struct acd_ctl_cluster *cluster)
{
    bool known = !cluster->error[0];

    return json_pack("{s:o,s:o,s:{s:o,s:o,s:o,s:o},s:o,s:o,s:o,s:o}", "brokers", text(cluster->brokers),
                     "error", text_or_null(cluster->error), "group", "id", text(cluster->group), "state",
                     text_or_null(cluster->state), "members",
                     cluster->state[0] ? json_integer(cluster->member_count) : json_null(), "error",
                     text_or_null(cluster->group_error), "topics", known ? topics_json(cluster) : json_null(),
                     "partitions", known ? partitions_json(cluster) : json_null(), "lag",
                     offset(acd_ctl_cluster_lag(cluster)), "offsets_error",
                     text_or_null(cluster->offsets_error));
}

static json_t *rates_json(const struct acd_ctl_peer *peer)
{
    double seconds = acd_ctl_peer_seconds(peer);
    json_t *codes = json_object();
    double sum = 0;

    if (!(seconds > 0)) {
        json_decref(codes);
        return json_null();
    }
    for (size_t i = 0; i < peer->now.code_count; i++) {
        double gained = acd_ctl_scrape_gained(&peer->now, &peer->before, i);

        sum += gained;
        if (gained > 0)
            (void)json_object_set_new(codes, peer->now.codes[i].code, number(gained / seconds));
    }
    return json_pack("{s:o,s:o,s:o,s:o}", "per_second", number(sum / seconds), "by_code", codes, "p50_ms",
                     number(1000 * acd_ctl_scrape_quantile(&peer->now, &peer->before, 0.5)), "p99_ms",
                     number(1000 * acd_ctl_scrape_quantile(&peer->now, &peer->before, 0.99)));
}

static json_t *peer_json(const struct acd_ctl_peer *peer)
{
    static const struct {
        enum acd_ctl_gauge gauge;
        const char *name;
    } table[] = {
        {ACD_CTL_GAUGE_WORKERS, "workers"},           {ACD_CTL_GAUGE_READY_WORKERS, "workers_ready"},
        {ACD_CTL_GAUGE_REDIS_UP, "workers_redis"},    {ACD_CTL_GAUGE_KAFKA_UP, "workers_kafka"},
        {ACD_CTL_GAUGE_STUCK, "threads_stuck"},       {ACD_CTL_GAUGE_PARTITIONS, "partitions"},
        {ACD_CTL_GAUGE_HALTED, "partitions_halted"},  {ACD_CTL_GAUGE_LAG, "lag"},
        {ACD_CTL_GAUGE_RESTORE, "restore_records"},   {ACD_CTL_GAUGE_RESTORE_LEFT, "restore_records_left"},
        {ACD_CTL_GAUGE_EXPORTS_OPEN, "exports_open"}, {ACD_CTL_GAUGE_EXPORTS_RUNNING, "exports_running"},
        {ACD_CTL_GAUGE_DEAD_LETTERS, "dead_letters"},
    };
    const double *gauges = peer->now.gauges;
    json_t *made;

    if (peer->error[0])
        return json_pack("{s:o,s:b,s:o}", "url", text(peer->address), "up", 0, "error", text(peer->error));
    made = json_pack("{s:o,s:b,s:n,s:b,s:o,s:o,s:o,s:o}", "url", text(peer->address), "up", 1, "error",
                     "ready", peer->ready, "reasons",
                     json_is_array(peer->reasons) ? json_incref(peer->reasons) : json_array(), "version",
                     text(peer->now.version), "commands", count(acd_ctl_scrape_commands(&peer->now)), "rates",
                     rates_json(peer));

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        (void)json_object_set_new(made, table[i].name, count(gauges[table[i].gauge]));
    return made;
}

int acd_ctl_survey_json(FILE *out, const struct acd_ctl_survey *survey)
{
    json_t *peers = json_array();
    char at[ACD_TIME_BYTES];

    acd_time_format(survey->at_ms, at);
    for (size_t i = 0; i < survey->peer_count; i++)
        (void)json_array_append_new(peers, peer_json(&survey->peers[i]));
    return acd_ctl_json_line(
        out, json_pack("{s:s,s:o,s:o}", "at", at, "kafka", cluster_json(&survey->cluster), "daemons", peers));
}
