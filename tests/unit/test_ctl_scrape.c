/* What accountctl status reads of a page of metrics, and the percentiles of it. */
#include "../../src/ctl/status/scrape.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accountd/metrics.h"

/* Each sample as NAME|LABELS|VALUE|the label "code", a line each. */
static char *samples_of(const char *page)
{
    struct acd_slice rest = acd_slice_str(page);
    struct acd_ctl_sample sample;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    while (acd_ctl_sample_next(&rest, &sample)) {
        char code[8];

        fprintf(out, "%.*s|%.*s|%g|%s\n", (int)sample.name.len, sample.name.data, (int)sample.labels.len,
                sample.labels.data ? sample.labels.data : "", sample.value,
                acd_ctl_sample_label(&sample, "code", code, sizeof(code)) ? code : "-");
    }
    fclose(out);
    return text;
}

static void test_lines(void **state)
{
    static const struct {
        const char *page;
        const char *samples;
    } table[] = {
        {"", ""},
        {"a 1\n", "a||1|-\n"},
        {"a 1", "a||1|-\n"},
        {"\n\n# HELP a text 5\n# TYPE a gauge\na 1\n\nb 2\n", "a||1|-\nb||2|-\n"},
        {"a{} 1\n", "a||1|-\n"},
        {"a{code=\"ok\"} 1\n", "a|code=\"ok\"|1|ok\n"},
        {"a{op=\"x\",code=\"ok\",} 1\n", "a|op=\"x\",code=\"ok\",|1|ok\n"},
        {"a{op=\"x\", code=\"ok\"} 1.5e3 1700000000000\n", "a|op=\"x\", code=\"ok\"|1500|ok\n"},
        {"a{op=\"}\",code=\"\\\"}\\\\\"}\t-1\n", "a|op=\"}\",code=\"\\\"}\\\\\"|-1|\"}\\\n"},
        {"a{op=\"code=\",code=\"\"} 1\n", "a|op=\"code=\",code=\"\"|1|\n"},
        {"a{code=\"longer than that\"} +Inf\n", "a|code=\"longer than that\"|inf|longer \n"},
        {"a{xcode=\"no\"} 0x10\n", "a|xcode=\"no\"|16|-\n"},
        {"a{code} 1\n", "a|code|1|-\n"},
        {"a{code=ok} 1\n", "a|code=ok|1|-\n"},
        {"a{code=\"ok 1\nb 1\n", "b||1|-\n"},
        {"a\n a 1\na one\na 1x\n{} 1\n= 1\n<html>\n", ""},
        {"a 1\r\n", "a||1|-\n"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char *found = samples_of(table[i].page);

        if (strcmp(found, table[i].samples) != 0)
            fail_msg("%s\ngives\n%s\nand not\n%s", table[i].page, found, table[i].samples);
        free(found);
    }
}

/* The page that accountd itself prints has all that is looked for. */
static void test_our_own_page(void **state)
{
    struct acd_ctl_scrape scrape;
    char *page = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&page, &len);

    assert_non_null(out);
    acd_metrics_print(out);
    fclose(out);
    acd_ctl_scrape_read(acd_slice(page, len), &scrape);
    free(page);
    assert_string_equal(scrape.version, ACD_VERSION);
    for (int i = 0; i < ACD_CTL_GAUGE_COUNT; i++)
        if (isnan(scrape.gauges[i]))
            fail_msg("gauge %d is not on the page", i);
    assert_true(scrape.code_count == ACD_CODE_COUNT);
    assert_true(scrape.bucket_count > 5 && scrape.bucket_count < ACD_CTL_BUCKETS_MAX);
    assert_true(isinf(scrape.buckets[scrape.bucket_count - 1].bound));
}

static void test_counts(void **state)
{
    struct acd_ctl_scrape before;
    struct acd_ctl_scrape now;

    acd_ctl_scrape_read(acd_slice_str("accountd_build_info{version=\"1.2.3\"} 1\n"
                                      "process_start_time_seconds 7\n"
                                      "accountd_halted_partitions 2\n"
                                      "accountd_commands_total{op=\"get\",code=\"ok\"} 5\n"
                                      "accountd_commands_total{op=\"edit\",code=\"ok\"} 2\n"),
                        &before);
    acd_ctl_scrape_read(acd_slice_str("accountd_build_info{version=\"1.2.3\"} 1\n"
                                      "process_start_time_seconds 7\n"
                                      "accountd_commands_total{op=\"get\",code=\"internal\"} 4\n"
                                      "accountd_commands_total{op=\"get\",code=\"ok\"} 15\n"),
                        &now);
    assert_string_equal(now.version, "1.2.3");
    assert_true(before.gauges[ACD_CTL_GAUGE_HALTED] == 2);
    assert_true(isnan(now.gauges[ACD_CTL_GAUGE_HALTED]));
    assert_true(acd_ctl_scrape_commands(&before) == 7);
    assert_true(acd_ctl_scrape_commands(&now) == 19);
    assert_true(acd_ctl_scrape_continues(&now, &before));
    assert_string_equal(now.codes[0].code, "internal");
    assert_true(acd_ctl_scrape_gained(&now, &before, 0) == 4);
    assert_true(acd_ctl_scrape_gained(&now, &before, 1) == 8);
    now.gauges[ACD_CTL_GAUGE_START] = 8;
    assert_false(acd_ctl_scrape_continues(&now, &before));
    acd_ctl_scrape_read(acd_slice_str("<html>busy</html>\n"), &now);
    assert_string_equal(now.version, "");
    assert_false(acd_ctl_scrape_continues(&now, &now));
}

static void test_codes_are_bounded(void **state)
{
    struct acd_ctl_scrape scrape;
    char *page = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&page, &len);

    assert_non_null(out);
    for (int i = 0; i < 1000; i++)
        fprintf(out,
                "accountd_commands_total{code=\"c%d\"} 1\n"
                "accountd_command_duration_seconds_bucket{le=\"%d\"} 1\n",
                i, i);
    fclose(out);
    acd_ctl_scrape_read(acd_slice(page, len), &scrape);
    free(page);
    assert_true(scrape.code_count == ACD_CTL_CODES_MAX);
    assert_true(scrape.bucket_count == ACD_CTL_BUCKETS_MAX);
}

static void test_quantiles(void **state)
{
    /* Buckets of at most 1, 2, 4 and any number of seconds. */
    static const struct {
        double before[4];
        double now[4];
        double quantile;
        double seconds; /* below 0: none */
    } table[] = {
        {{0, 0, 0, 0}, {0, 0, 0, 0}, 0.5, -1},       {{1, 2, 3, 4}, {1, 2, 3, 4}, 0.5, -1},
        {{0, 0, 0, 0}, {10, 10, 10, 10}, 0.5, 0.5},  {{0, 0, 0, 0}, {10, 10, 10, 10}, 0.99, 0.99},
        {{0, 0, 0, 0}, {0, 10, 10, 10}, 0.5, 1.5},   {{0, 0, 0, 0}, {5, 10, 10, 10}, 0.75, 1.5},
        {{0, 0, 0, 0}, {0, 0, 10, 10}, 1, 4},        {{0, 0, 0, 0}, {0, 0, 0, 10}, 0.5, 4},
        {{0, 0, 0, 0}, {99, 99, 99, 100}, 0.999, 4}, {{7, 9, 9, 9}, {7, 9, 19, 19}, 0.5, 3},
        {{0, 0, 0, 0}, {5, 5, 10, 10}, 0.5, 1},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        static const double bounds[4] = {1, 2, 4, INFINITY};
        struct acd_ctl_scrape before = {.bucket_count = 4};
        struct acd_ctl_scrape now = {.bucket_count = 4};
        double found;

        for (int j = 0; j < 4; j++) {
            before.buckets[j] = (struct acd_ctl_bucket){bounds[j], table[i].before[j]};
            now.buckets[j] = (struct acd_ctl_bucket){bounds[j], table[i].now[j]};
        }
        found = acd_ctl_scrape_quantile(&now, &before, table[i].quantile);
        if (table[i].seconds < 0 ? !isnan(found) : !(fabs(found - table[i].seconds) < 1e-9))
            fail_msg("row %zu: %g and not %g", i, found, table[i].seconds);
    }
    assert_true(
        isnan(acd_ctl_scrape_quantile(&(struct acd_ctl_scrape){0}, &(struct acd_ctl_scrape){0}, 0.5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_our_own_page),
        cmocka_unit_test(test_counts),    cmocka_unit_test(test_codes_are_bounded),
        cmocka_unit_test(test_quantiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
