/* Metadata, offsets, and the admin interface's view of the group. */
#include "cluster.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../reader.h"
#include "../stream.h"
#include "../terminal.h"

const char *const acd_ctl_topic_roles[ACD_CTL_TOPIC_COUNT] = {
#define X(id, name) #name,
    ACD_CTL_TOPICS(X)
#undef X
};

enum acd_ctl_exit acd_ctl_cluster_open(struct acd_ctl_cluster *out, const struct acd_settings *settings,
                                       const struct acd_ctl_args *args)
{
    bool ok;

    *out = (struct acd_ctl_cluster){.link = {.settings = settings, .args = args}};
    out->brokers = strdup(settings->kafka.brokers);
    out->group = strdup(settings->kafka.group);
    ok = out->brokers && out->group;
#define X(id, setting)                                                                                       \
    out->topics[ACD_CTL_TOPIC_##id].name = strdup(settings->kafka.setting);                                  \
    ok = ok && out->topics[ACD_CTL_TOPIC_##id].name;
    ACD_CTL_TOPICS(X)
#undef X
    if (!ok) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    out->client = acd_ctl_link_reader(&out->link, false);
    if (!out->client)
        return ACD_CTL_USAGE;
    out->queue = rd_kafka_queue_new(out->client);
    return ACD_CTL_OK;
}

/* librdkafka's own errors are below 0 and say that nothing was heard; the last trouble may tell more. */
static void explain(struct acd_ctl_cluster *cluster, rd_kafka_resp_err_t error, const char *text, char *out,
                    size_t bytes)
{
    (void)rd_kafka_poll(cluster->client, 0);
    if (error < 0 && cluster->link.trouble[0])
        text = cluster->link.trouble;
    (void)snprintf(out, bytes, "%s", text && *text ? text : rd_kafka_err2str(error));
}

/* Returns an error that says that nobody answers. */
static rd_kafka_resp_err_t ask_topic(struct acd_ctl_cluster *cluster, struct acd_ctl_topic_state *topic,
                                     int64_t deadline_ms)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(cluster->client, topic->name, NULL);
    const struct rd_kafka_metadata *metadata;

    topic->partitions = -1;
    topic->error = rd_kafka_last_error();
    if (!handle)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    topic->error = rd_kafka_metadata(cluster->client, 0, handle, &metadata, acd_ctl_left_ms(deadline_ms));
    rd_kafka_topic_destroy(handle);
    if (topic->error)
        return topic->error;
    topic->error =
        metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (!topic->error)
        topic->partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t ask_ends(struct acd_ctl_cluster *cluster, int64_t deadline_ms)
{
    struct acd_ctl_span *spans = NULL;
    int32_t count = 0;
    rd_kafka_resp_err_t error = acd_ctl_spans(cluster->client, cluster->topics[ACD_CTL_TOPIC_COMMANDS].name,
                                              ACD_CTL_FROM_BEGINNING, deadline_ms, &spans, &count);

    if (!error) {
        cluster->partitions = calloc((size_t)count, sizeof(*cluster->partitions));
        error = cluster->partitions ? error : RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    }
    for (int32_t i = 0; !error && i < count; i++) {
        cluster->partitions[i] = (struct acd_ctl_partition){spans[i].first, spans[i].end, -1, -1, -1};
        cluster->partition_count = i + 1;
    }
    free(spans);
    return error;
}

/* An answer of the admin interface; NULL with `out` filled in when none came. */
static rd_kafka_event_t *await(struct acd_ctl_cluster *cluster, int64_t deadline_ms, char *out, size_t bytes)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(cluster->queue, acd_ctl_left_ms(deadline_ms) + 1000);

    if (event && !rd_kafka_event_error(event))
        return event;
    explain(cluster, event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT,
            event ? rd_kafka_event_error_string(event) : NULL, out, bytes);
    rd_kafka_event_destroy(event);
    return NULL;
}

static rd_kafka_AdminOptions_t *options(struct acd_ctl_cluster *cluster, rd_kafka_admin_op_t what,
                                        int64_t deadline_ms)
{
    rd_kafka_AdminOptions_t *made = rd_kafka_AdminOptions_new(cluster->client, what);
    int left = acd_ctl_left_ms(deadline_ms);
    char error[256];

    (void)rd_kafka_AdminOptions_set_request_timeout(made, left ? left : 1, error, sizeof(error));
    return made;
}

static void take_offsets(struct acd_ctl_cluster *cluster, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &list->elems[i];

        if (at->partition < 0 || at->partition >= cluster->partition_count)
            continue;
        if (at->err)
            explain(cluster, at->err, NULL, cluster->offsets_error, sizeof(cluster->offsets_error));
        else if (at->offset >= 0)
            cluster->partitions[at->partition].committed = at->offset;
    }
}

static void ask_committed(struct acd_ctl_cluster *cluster, int64_t deadline_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(cluster->partition_count);
    rd_kafka_AdminOptions_t *how = options(cluster, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, deadline_ms);
    rd_kafka_ListConsumerGroupOffsets_t *what;
    const rd_kafka_group_result_t **groups;
    rd_kafka_event_t *event;
    size_t count = 0;

    for (int32_t i = 0; i < cluster->partition_count; i++)
        (void)rd_kafka_topic_partition_list_add(list, cluster->topics[ACD_CTL_TOPIC_COMMANDS].name, i);
    what = rd_kafka_ListConsumerGroupOffsets_new(cluster->group, list);
    rd_kafka_ListConsumerGroupOffsets(cluster->client, &what, 1, how, cluster->queue);
    event = await(cluster, deadline_ms, cluster->offsets_error, sizeof(cluster->offsets_error));
    if (event) {
        groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
        if (count == 1 && rd_kafka_group_result_error(groups[0]))
            explain(cluster, rd_kafka_error_code(rd_kafka_group_result_error(groups[0])),
                    rd_kafka_error_string(rd_kafka_group_result_error(groups[0])), cluster->offsets_error,
                    sizeof(cluster->offsets_error));
        else if (count == 1)
            take_offsets(cluster, rd_kafka_group_result_partitions(groups[0]));
        rd_kafka_event_destroy(event);
    }
    rd_kafka_ListConsumerGroupOffsets_destroy(what);
    rd_kafka_AdminOptions_destroy(how);
    rd_kafka_topic_partition_list_destroy(list);
}

static void take_member(struct acd_ctl_cluster *cluster, int index, const rd_kafka_MemberDescription_t *from)
{
    const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(from);
    const rd_kafka_topic_partition_list_t *list =
        assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
    struct acd_ctl_member *member = &cluster->members[index];
    const char *host = rd_kafka_MemberDescription_host(from);

    (void)snprintf(member->id, sizeof(member->id), "%s", rd_kafka_MemberDescription_consumer_id(from));
    (void)snprintf(member->client, sizeof(member->client), "%s", rd_kafka_MemberDescription_client_id(from));
    /* Java's way to write an address. */
    (void)snprintf(member->host, sizeof(member->host), "%s", host + (*host == '/'));
    for (int i = 0; list && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &list->elems[i];

        if (strcmp(at->topic, cluster->topics[ACD_CTL_TOPIC_COMMANDS].name) == 0 && at->partition >= 0 &&
            at->partition < cluster->partition_count)
            cluster->partitions[at->partition].member = index;
    }
}

static void take_group(struct acd_ctl_cluster *cluster, const rd_kafka_ConsumerGroupDescription_t *group)
{
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(group);
    size_t count = rd_kafka_ConsumerGroupDescription_member_count(group);

    if (error) {
        explain(cluster, rd_kafka_error_code(error), rd_kafka_error_string(error), cluster->group_error,
                sizeof(cluster->group_error));
        return;
    }
    (void)snprintf(cluster->state, sizeof(cluster->state), "%s",
                   rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(group)));
    cluster->members = calloc(count + 1, sizeof(*cluster->members));
    if (!cluster->members)
        return;
    cluster->member_count = (int)count;
    for (size_t i = 0; i < count; i++)
        take_member(cluster, (int)i, rd_kafka_ConsumerGroupDescription_member(group, i));
}

static void ask_group(struct acd_ctl_cluster *cluster, int64_t deadline_ms)
{
    rd_kafka_AdminOptions_t *how = options(cluster, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, deadline_ms);
    const rd_kafka_ConsumerGroupDescription_t **groups;
    const char *names[] = {cluster->group};
    rd_kafka_event_t *event;
    size_t count = 0;

    rd_kafka_DescribeConsumerGroups(cluster->client, names, 1, how, cluster->queue);
    event = await(cluster, deadline_ms, cluster->group_error, sizeof(cluster->group_error));
    if (event) {
        groups = rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
        if (count == 1)
            take_group(cluster, groups[0]);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(how);
}

static void find_lags(struct acd_ctl_cluster *cluster)
{
    for (int32_t i = 0; i < cluster->partition_count && !cluster->offsets_error[0]; i++) {
        struct acd_ctl_partition *at = &cluster->partitions[i];
        /* Where nothing was committed yet, the first record is the next. */
        int64_t next = at->committed < at->first ? at->first : at->committed;

        at->lag = at->end > next ? at->end - next : 0;
    }
}

static void forget(struct acd_ctl_cluster *cluster)
{
    free(cluster->members);
    free(cluster->partitions);
    cluster->members = NULL;
    cluster->partitions = NULL;
    cluster->member_count = 0;
    cluster->partition_count = 0;
    cluster->error[0] = cluster->state[0] = cluster->group_error[0] = cluster->offsets_error[0] = '\0';
    for (int i = 0; i < ACD_CTL_TOPIC_COUNT; i++)
        cluster->topics[i].partitions = -1;
}

void acd_ctl_cluster_ask(struct acd_ctl_cluster *cluster, int64_t deadline_ms)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

    forget(cluster);
    for (int i = 0; !error && i < ACD_CTL_TOPIC_COUNT; i++)
        error = ask_topic(cluster, &cluster->topics[i], deadline_ms);
    if (error) {
        explain(cluster, error, NULL, cluster->error, sizeof(cluster->error));
        return;
    }
    cluster->link.trouble[0] = '\0';
    if (!cluster->topics[ACD_CTL_TOPIC_COMMANDS].error)
        error = ask_ends(cluster, deadline_ms);
    if (error)
        explain(cluster, error, NULL, cluster->offsets_error, sizeof(cluster->offsets_error));
    if (cluster->partition_count)
        ask_committed(cluster, deadline_ms);
    find_lags(cluster);
    ask_group(cluster, deadline_ms);
}

int64_t acd_ctl_cluster_lag(const struct acd_ctl_cluster *cluster)
{
    int64_t sum = 0;

    if (cluster->offsets_error[0] || !cluster->partition_count)
        return -1;
    for (int32_t i = 0; i < cluster->partition_count; i++)
        sum += cluster->partitions[i].lag;
    return sum;
}
