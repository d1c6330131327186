/* Numbers of JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "accountd/text.h"
#include "json.h"

/* Beyond what the digits of any message could make up for. */
#define EXPONENT_MAX INT64_C(1000000000000000)

/* Bytes of "e-1000000000000000" and a NUL, and to spare. */
#define EXPONENT_BYTES 24

static bool too_large(struct acd_json *json, const unsigned char *start)
{
    json->wrong = acd_arena_format(json->arena,
                                   "a number of the JSON is larger than a 64 bit integer or a double can be, "
                                   "at byte %zu",
                                   (size_t)(start - json->begin))
                      .data;
    return false;
}

/* Steps over digits, of which there must be one. */
static bool skip_digits(struct acd_json *json)
{
    const unsigned char *start = json->at;

    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at > start || acd_json_expected(json, "a digit");
}

static bool comes(const struct acd_json *json, char one, char other)
{
    return json->at < json->end && (*json->at == one || *json->at == other);
}

/* Steps over an exponent, where there is one. */
static bool read_exponent(struct acd_json *json, int64_t *out)
{
    const unsigned char *digits;
    bool negative;

    *out = 0;
    if (!comes(json, 'e', 'E'))
        return true;
    json->at++;
    negative = comes(json, '-', '-');
    json->at += comes(json, '-', '+');
    digits = json->at;
    if (!skip_digits(json))
        return false;
    for (; digits < json->at && *out < EXPONENT_MAX; digits++)
        *out = 10 * *out + (*digits - '0');
    if (negative)
        *out = -*out;
    return true;
}

/* strtod is given digits and an exponent, but no point: what it takes for one depends on the locale. */
static double to_double(struct acd_arena *arena, struct acd_slice digits, struct acd_slice fraction,
                        int64_t exponent)
{
    size_t bytes = digits.len + fraction.len + EXPONENT_BYTES;
    char small[64];
    char *text = bytes <= sizeof(small) ? small : acd_arena_alloc(arena, bytes);
    char *end = text;

    memcpy(end, digits.data, digits.len);
    end += digits.len;
    memcpy(end, fraction.data, fraction.len);
    end += fraction.len;
    snprintf(end, EXPONENT_BYTES, "e%lld", (long long)(exponent - (int64_t)fraction.len));
    return strtod(text, NULL);
}

bool acd_json_number(struct acd_json *json, struct acd_value *out)
{
    const unsigned char *start = json->at;
    struct acd_slice fraction;
    struct acd_slice digits;
    int64_t exponent;

    json->at += *start == '-';
    /* No digit follows a leading zero. */
    if (comes(json, '0', '0'))
        json->at++;
    else if (!skip_digits(json))
        return false;
    digits = acd_slice(start, (size_t)(json->at - start));
    fraction = acd_slice(json->at, 0);

    if (!comes(json, '.', '.') && !comes(json, 'e', 'E')) {
        *out = (struct acd_value){.kind = ACD_INT};
        return acd_int_parse(digits, &out->integer) || too_large(json, start);
    }
    if (comes(json, '.', '.')) {
        fraction.data++;
        json->at++;
        if (!skip_digits(json))
            return false;
        fraction.len = (size_t)((const char *)json->at - fraction.data);
    }
    if (!read_exponent(json, &exponent))
        return false;
    *out =
        (struct acd_value){.kind = ACD_DOUBLE, .number = to_double(json->arena, digits, fraction, exponent)};
    return isfinite(out->number) || too_large(json, start);
}
