/* Counts that add up, and percentiles. */
#include "print.h"

#include <inttypes.h>

#include "../bytes.h"
#include "../terminal.h"

static const struct {
    const char *title;
    const char *member;
    double part;
} percentiles[] = {{"p50", "p50", 0.5}, {"p90", "p90", 0.9}, {"p99", "p99", 0.99}, {"p99.9", "p99_9", 0.999}};

#define PERCENTILE_COUNT (sizeof(percentiles) / sizeof(percentiles[0]))

static double in_ms(int64_t us)
{
    return (double)us / 1000;
}

static double per_second(int64_t count, const struct acd_ctl_bench_result *result)
{
    return result->seconds > 0 ? (double)count / result->seconds : 0;
}

void acd_ctl_bench_progress(FILE *out, struct acd_ctl_load *load, int64_t second)
{
    (void)fprintf(out,
                  "%4" PRId64 " s  posted %" PRId64 "  replied %" PRId64 "  in the last second %" PRId64
                  ", p50 %.1f ms, p99 %.1f ms\n",
                  second, load->posted, load->replied, load->lately.count,
                  in_ms(acd_ctl_latency_at(&load->lately, 0.5)),
                  in_ms(acd_ctl_latency_at(&load->lately, 0.99)));
    load->lately = (struct acd_ctl_latency){0};
}

void acd_ctl_bench_print(FILE *out, const struct acd_ctl_bench_result *result)
{
    const struct acd_ctl_load *load = result->load;

    (void)fprintf(out, "posted         %12" PRId64 "  %.1f/s of %" PRId64 "/s that were asked for\n",
                  load->posted, per_second(load->posted, result), result->rate);
    (void)fprintf(out, "replied        %12" PRId64 "\n", load->replied);
    (void)fprintf(out, "without reply  %12" PRId64 "\n", load->posted - load->replied);
    if (load->duplicates)
        (void)fprintf(out, "replied twice  %12" PRId64 "\n", load->duplicates);
    for (int i = 0; i < load->code_count; i++) {
        (void)fputs("  ", out);
        acd_ctl_put(out, acd_slice_str(load->codes[i].name));
        (void)fprintf(out, " %" PRId64 "\n", load->codes[i].replies);
    }
    (void)fputs("latency", out);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        (void)fprintf(out, "%s %s %.1f ms", i ? "," : "", percentiles[i].title,
                      in_ms(acd_ctl_latency_at(&load->latency, percentiles[i].part)));
    (void)fprintf(out, ", max %.1f ms\n", in_ms(load->latency.max_us));
    if (result->interrupted)
        (void)fputs("interrupted\n", out);
    if (!result->deleted)
        (void)fprintf(out, "its accounts are left: bench-%s-*\n", result->run);
}

int acd_ctl_bench_json(FILE *out, const struct acd_ctl_bench_result *result)
{
    const struct acd_ctl_load *load = result->load;
    json_t *codes = json_object();
    json_t *latency = json_object();

    for (int i = 0; i < load->code_count; i++)
        (void)json_object_set_new(codes, load->codes[i].name, json_integer(load->codes[i].replies));
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        (void)json_object_set_new(latency, percentiles[i].member,
                                  json_real(in_ms(acd_ctl_latency_at(&load->latency, percentiles[i].part))));
    (void)json_object_set_new(latency, "max", json_real(in_ms(load->latency.max_us)));
    return acd_ctl_json_line(
        out, json_pack("{s:s,s:I,s:f,s:I,s:I,s:I,s:I,s:f,s:o,s:o,s:b,s:b}", "run", result->run, "rate",
                       (json_int_t)result->rate, "seconds", result->seconds, "posted",
                       (json_int_t)load->posted, "replied", (json_int_t)load->replied, "without_reply",
                       (json_int_t)(load->posted - load->replied), "duplicates", (json_int_t)load->duplicates,
                       "posted_per_second", per_second(load->posted, result), "codes", codes, "latency_ms",
                       latency, "interrupted", result->interrupted, "deleted", result->deleted));
}
