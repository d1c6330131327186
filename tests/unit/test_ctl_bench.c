/* What a bench counts with: percentiles of latencies, and a mix of operations by weight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/ctl/bench/latency.h"
#include "../../src/ctl/bench/mix.h"

static void test_percentiles_of_none(void **state)
{
    static const struct acd_ctl_latency none;

    assert_int_equal(acd_ctl_latency_at(&none, 0.5), 0);
    assert_int_equal(acd_ctl_latency_at(&none, 1), 0);
}

/* Numbers from 1 on: the percentile is known, and the answer is never less and at most 1/64 more. */
static void test_percentiles(void **state)
{
    static const int64_t counts[] = {1, 2, 3, 99, 100, 128, 1000, 123456};
    static const double parts[] = {0, 0.5, 0.9, 0.99, 0.999, 1};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct acd_ctl_latency latency = {0};

        for (int64_t us = counts[i]; us > 0; us--)
            acd_ctl_latency_add(&latency, us);
        assert_int_equal(latency.count, counts[i]);
        assert_int_equal(latency.max_us, counts[i]);
        for (size_t j = 0; j < sizeof(parts) / sizeof(parts[0]); j++) {
            double exact = parts[j] * (double)counts[i];
            int64_t found = acd_ctl_latency_at(&latency, parts[j]);

            print_message("%g of 1..%ld: %ld\n", parts[j], (long)counts[i], (long)found);
            assert_true((double)found >= exact);
            assert_true((double)found <= exact * (1 + 1.0 / ACD_CTL_LATENCY_FINE) + 1);
            assert_true(found <= counts[i]);
        }
    }
}

static void test_extreme_durations(void **state)
{
    struct acd_ctl_latency latency = {0};

    acd_ctl_latency_add(&latency, -5);
    assert_int_equal(acd_ctl_latency_at(&latency, 1), 0);
    acd_ctl_latency_add(&latency, INT64_MAX);
    assert_int_equal(latency.max_us, INT64_MAX);
    assert_int_equal(latency.count, 2);
    assert_int_equal(acd_ctl_latency_at(&latency, 0.5), 0);
    assert_true(acd_ctl_latency_at(&latency, 1) > INT64_C(1) << 41);
}

static void test_mixes(void **state)
{
    static const struct {
        const char *text;
        bool taken;
        int64_t weights[ACD_CTL_MIX_COUNT]; /* create, edit, get, delete */
    } rows[] = {
        {NULL, true, {1, 5, 4, 0}},
        {"create=1", true, {1, 0, 0, 0}},
        {"delete=3,create=2", true, {2, 0, 0, 3}},
        {"get=1000000", true, {0, 0, 1000000, 0}},
        {"edit=0,get=1", true, {0, 0, 1, 0}},
        {"get=1000001", false, {0}},
        {"get=-1", false, {0}},
        {"get=0", false, {0}},
        {"get=", false, {0}},
        {"get=1.5", false, {0}},
        {"get=1,get=1", false, {0}},
        {"get=1,", false, {0}},
        {"get", false, {0}},
        {"list=1", false, {0}},
        {"gets=1", false, {0}},
        {"", false, {0}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acd_ctl_mix mix;

        print_message("%s\n", rows[i].text ? rows[i].text : "(none)");
        assert_int_equal(acd_ctl_mix_read(rows[i].text, &mix), rows[i].taken);
        if (rows[i].taken)
            assert_memory_equal(mix.weights, rows[i].weights, sizeof(mix.weights));
    }
}

/* Of as many numbers as the weights add up to, each operation has as many as its weight. */
static void test_choices_follow_the_weights(void **state)
{
    struct acd_ctl_mix mix;
    int64_t chosen[ACD_CTL_MIX_COUNT] = {0};

    assert_true(acd_ctl_mix_read("create=2,get=7,delete=1", &mix));
    for (uint64_t random = 1000; random < 1010; random++)
        chosen[acd_ctl_mix_choose(&mix, random)]++;
    assert_memory_equal(chosen, mix.weights, sizeof(chosen));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles_of_none),        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_extreme_durations),          cmocka_unit_test(test_mixes),
        cmocka_unit_test(test_choices_follow_the_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
