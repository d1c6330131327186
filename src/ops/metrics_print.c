/* The page of the metrics: Prometheus' text format, version 0.0.4. */
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <string.h>

#include "metrics_table.h"
#include "process.h"

static long long load(const _Atomic int64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static void print_head(const char *name, const char *type, const char *help, FILE *out)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *type_of(enum acd_metric_kind kind)
{
    if (acd_metric_bounds(kind))
        return "histogram";
    return kind == ACD_GAUGE || kind == ACD_PARTITIONS ? "gauge" : "counter";
}

static void print_commands(const char *name, FILE *out)
{
    for (int op = 0; op < ACD_OP_COUNT; op++)
        for (int code = 0; code < ACD_CODE_COUNT; code++)
            fprintf(out, "%s{op=\"%s\",code=\"%s\"} %lld\n", name,
                    op == ACD_OP_NONE ? "none" : acd_op_text((enum acd_op)op),
                    acd_code_text((enum acd_code)code), load(&acd_metric_command_cells[op][code]));
}

static void print_partitions(const char *name, FILE *out)
{
    for (int i = 0; i < ACD_PARTITIONS_MAX; i++) {
        long long lag = load(&acd_metric_partition_cells[i]) - 1;

        if (lag >= 0)
            fprintf(out, "%s{partition=\"%d\"} %lld\n", name, i, lag);
    }
}

/* The count is that of the buckets as they were read: it cannot differ from the last of them. */
static void print_histogram(const struct acd_metric_rule *rule, const struct acd_metric_cell *cell, FILE *out)
{
    const struct acd_bounds *bounds = acd_metric_bounds(rule->kind);
    const char *comma = *rule->labels ? "," : "";
    const char *open = *rule->labels ? "{" : "";
    const char *close = *rule->labels ? "}" : "";
    double unit = (double)bounds->unit;
    long long sum = load(&cell->value);
    long long count = 0;

    for (uint32_t i = 0; i < bounds->count; i++) {
        count += load(&cell->buckets[i]);
        fprintf(out, "%s_bucket{%s%sle=\"%g\"} %lld\n", rule->name, rule->labels, comma,
                (double)bounds->bounds[i] / unit, count);
    }
    count += load(&cell->buckets[bounds->count]);
    fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", rule->name, rule->labels, comma, count);
    fprintf(out, "%s_sum%s%s%s %.15g\n", rule->name, open, rule->labels, close, (double)sum / unit);
    fprintf(out, "%s_count%s%s%s %lld\n", rule->name, open, rule->labels, close, count);
}

static void print_metric(enum acd_metric metric, FILE *out)
{
    const struct acd_metric_rule *rule = &acd_metric_rules[metric];
    const struct acd_metric_cell *cell = &acd_metric_cells[metric];

    if (metric == 0 || strcmp(rule->name, acd_metric_rules[metric - 1].name) != 0)
        print_head(rule->name, type_of(rule->kind), rule->help, out);
    if (rule->kind == ACD_COMMANDS)
        print_commands(rule->name, out);
    else if (rule->kind == ACD_PARTITIONS)
        print_partitions(rule->name, out);
    else if (acd_metric_bounds(rule->kind))
        print_histogram(rule, cell, out);
    else if (*rule->labels)
        fprintf(out, "%s{%s} %lld\n", rule->name, rule->labels, load(&cell->value));
    else
        fprintf(out, "%s %lld\n", rule->name, load(&cell->value));
}

void acd_metrics_print(FILE *out)
{
    print_head("accountd_build_info", "gauge", "Version of accountd and of librdkafka; always 1.", out);
    fprintf(out, "accountd_build_info{version=\"" ACD_VERSION "\",librdkafka=\"%s\"} 1\n",
            rd_kafka_version_str());
    for (int i = 0; i < ACD_METRIC_COUNT; i++)
        print_metric((enum acd_metric)i, out);
    acd_process_metrics_print(out);
}
