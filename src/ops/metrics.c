/* The metrics' cells, and the page of them. */
#include "accountd/metrics.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "process.h"

static _Atomic int64_t cells[ACD_METRIC_COUNT];
static _Atomic int64_t commands[ACD_OP_COUNT][ACD_CODE_COUNT];

static const struct {
    const char *name;
    const char *type;
    const char *help;
} rules[ACD_METRIC_COUNT] = {
#define X(id, name, type, help) {name, type, help},
    ACD_METRICS(X)
#undef X
};

void acd_metric_add(enum acd_metric metric, int64_t n)
{
    atomic_fetch_add_explicit(&cells[metric], n, memory_order_relaxed);
}

void acd_metric_set(enum acd_metric metric, int64_t value)
{
    atomic_store_explicit(&cells[metric], value, memory_order_relaxed);
}

int64_t acd_metric_get(enum acd_metric metric)
{
    return atomic_load_explicit(&cells[metric], memory_order_relaxed);
}

void acd_metric_command(enum acd_op op, enum acd_code code)
{
    atomic_fetch_add_explicit(&commands[op][code], 1, memory_order_relaxed);
}

int64_t acd_metric_commands(void)
{
    int64_t sum = 0;

    for (int op = 0; op < ACD_OP_COUNT; op++)
        for (int code = 0; code < ACD_CODE_COUNT; code++)
            sum += atomic_load_explicit(&commands[op][code], memory_order_relaxed);
    return sum;
}

static void print_head(const char *name, const char *type, const char *help, FILE *out)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_commands(FILE *out)
{
    print_head("accountd_commands_total", "counter", "Commands answered, by operation and result code.", out);
    for (int op = 0; op < ACD_OP_COUNT; op++)
        for (int code = 0; code < ACD_CODE_COUNT; code++)
            fprintf(out, "accountd_commands_total{op=\"%s\",code=\"%s\"} %lld\n",
                    op == ACD_OP_NONE ? "none" : acd_op_text((enum acd_op)op),
                    acd_code_text((enum acd_code)code),
                    (long long)atomic_load_explicit(&commands[op][code], memory_order_relaxed));
}

void acd_metrics_print(FILE *out)
{
    print_head("accountd_build_info", "gauge", "Version of accountd and of librdkafka.", out);
    fprintf(out, "accountd_build_info{version=\"" ACD_VERSION "\",librdkafka=\"%s\"} 1\n",
            rd_kafka_version_str());
    print_commands(out);
    for (int i = 0; i < ACD_METRIC_COUNT; i++) {
        print_head(rules[i].name, rules[i].type, rules[i].help, out);
        fprintf(out, "%s %lld\n", rules[i].name, (long long)acd_metric_get((enum acd_metric)i));
    }
    acd_process_metrics_print(out);
}
