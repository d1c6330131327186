/* How far a consumer is behind its last record. */
#include "../../src/kafka/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_next(void **state)
{
    struct acd_reach reach = {0};

    /* Of what nobody has read nothing is known. */
    assert_int_equal(acd_reach_next(&reach, 3, 7), 7);
    /* Ten records and the end of their transaction. */
    acd_reach_record(&reach, 3, 9);
    assert_int_equal(acd_reach_next(&reach, 3, 10), 10);
    acd_reach_end(&reach, 3, 11);
    assert_int_equal(acd_reach_next(&reach, 3, 10), 11);
    assert_int_equal(acd_reach_next(&reach, 3, 12), 12);
    /* What was given away and is not decided is still to come. */
    assert_int_equal(acd_reach_next(&reach, 3, 9), 9);
    assert_int_equal(acd_reach_next(&reach, 2, 10), 10);
    /* More has come since. */
    acd_reach_record(&reach, 3, 11);
    assert_int_equal(acd_reach_next(&reach, 3, 11), 11);
    assert_int_equal(acd_reach_next(&reach, 3, 12), 12);
    /* One behind what was aborted, before any record. */
    acd_reach_end(&reach, 100, 5);
    assert_int_equal(acd_reach_next(&reach, 100, 0), 5);
    acd_reach_forget(&reach);
    assert_int_equal(acd_reach_next(&reach, 3, 10), 10);
    acd_reach_forget(&reach);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_next)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
