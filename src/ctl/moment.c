/* Short forms are completed, and then read as the contract writes times. */
#include "moment.h"

#include <string.h>

#include "accountd/text.h"

/* A hundred years: what is longer is a slip, and the product must not overflow. */
#define DURATION_MAX_S INT64_C(3155760000)

static bool read_duration(struct acd_slice text, int64_t *ms)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t number;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (text.len == 0 || text.data[text.len - 1] != units[i].letter)
            continue;
        if (!acd_int_parse(acd_slice(text.data, text.len - 1), &number) || number < 0 ||
            number > DURATION_MAX_S / units[i].seconds)
            return false;
        *ms = number * units[i].seconds * 1000;
        return true;
    }
    return false;
}

static bool read_time(struct acd_slice text, int64_t *ms)
{
    static const char whole[] = "1970-01-01T00:00:00.000Z";
    static const size_t lengths[] = {sizeof("1970-01-01") - 1, sizeof("1970-01-01T00:00") - 1,
                                     sizeof("1970-01-01T00:00:00") - 1,
                                     sizeof("1970-01-01T00:00:00.000") - 1};
    char completed[sizeof(whole)];

    if (text.len > lengths[0] && text.data[text.len - 1] == 'Z')
        text.len--;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (text.len != lengths[i])
            continue;
        memcpy(completed, whole, sizeof(whole));
        memcpy(completed, text.data, text.len);
        if (completed[lengths[0]] == ' ')
            completed[lengths[0]] = 'T';
        return acd_time_parse(acd_slice(completed, sizeof(whole) - 1), ms);
    }
    return false;
}

bool acd_ctl_moment_read(const char *text, int64_t now_ms, int64_t *out)
{
    int64_t duration_ms;

    if (read_time(acd_slice_str(text), out))
        return true;
    if (!read_duration(acd_slice_str(text), &duration_ms))
        return false;
    *out = now_ms > duration_ms ? now_ms - duration_ms : 0;
    return true;
}
