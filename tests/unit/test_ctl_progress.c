/* The line that says how far long work is. */
#include "../../src/ctl/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_text(void **state)
{
    static const struct {
        struct acd_ctl_extent before, now;
        int64_t elapsed_ms;
        const char *text;
    } rows[] = {
        {{0}, {.done = 0}, 0, "0 lines, 0/s"},
        {{0}, {.done = 0, .total = 10}, 0, "[....................]   0 %  0 of 10 lines, 0/s"},
        {{0}, {.done = 5, .total = 10}, 1000, "[##########..........]  50 %  5 of 10 lines, 5/s, 0:01 left"},
        {{0},
         {.done = 1000, .total = 100000},
         2000,
         "[....................]   1 %  1000 of 100000 lines, 500/s, 3:18 left"},
        {{0},
         {.done = 10, .total = 10},
         500,
         "[####################] 100 %  10 of 10 lines, 20/s, 0:00 left"},
        /* More came than was said. */
        {{0}, {.done = 12, .total = 10}, 1000, "12 lines, 12/s"},
        /* How many lines the file has is not known, but how long it is. */
        {{0},
         {.done = 500, .bytes = 25, .size = 100},
         1000,
         "[#####...............]  25 %  500 lines, 500/s, 0:03 left"},
        /* An earlier process has done half of it, and this one a tenth in a second. */
        {{.done = 500, .bytes = 50},
         {.done = 600, .bytes = 60, .size = 100},
         1000,
         "[############........]  60 %  600 lines, 100/s, 0:04 left"},
        /* It has done nothing yet. */
        {{.done = 500, .bytes = 50},
         {.done = 500, .bytes = 50, .size = 100},
         3000,
         "[##########..........]  50 %  500 lines, 0/s"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct acd_ctl_progress progress = {.unit = "lines", .before = rows[i].before};
        char line[200];

        assert_string_equal(
            acd_ctl_progress_text(line, sizeof(line), &progress, &rows[i].now, rows[i].elapsed_ms),
            rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
