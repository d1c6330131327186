/* UTF-8, times and numbers as text. */
#include "accountd/text.h"

#define MS_PER_DAY INT64_C(86400000)

int64_t acd_time_clamp(int64_t ms)
{
    if (ms < 0)
        return 0;
    return ms < ACD_TIME_MAX_MS ? ms : ACD_TIME_MAX_MS;
}

/* Writes the last n decimal digits of a number. */
static char *put_digits(char *out, unsigned number, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + n;
}

/* Days since 1970-01-01 as a date. Counts from 0000-03-01 on, where leap days end a year and 400 years are
 * one period (H. Hinnant, chrono-compatible low-level date algorithms). */
static void date_of_days(unsigned days, unsigned *year, unsigned *month, unsigned *day)
{
    unsigned shifted = days + 719468;
    unsigned era = shifted / 146097;
    unsigned day_of_era = shifted % 146097;
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

void acd_time_format(int64_t ms, char out[ACD_TIME_BYTES])
{
    int64_t clamped = acd_time_clamp(ms);
    unsigned of_day = (unsigned)(clamped % MS_PER_DAY);
    unsigned year, month, day;

    date_of_days((unsigned)(clamped / MS_PER_DAY), &year, &month, &day);
    out = put_digits(out, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day, 2);
    *out++ = 'T';
    out = put_digits(out, of_day / 3600000, 2);
    *out++ = ':';
    out = put_digits(out, of_day / 60000 % 60, 2);
    *out++ = ':';
    out = put_digits(out, of_day / 1000 % 60, 2);
    *out++ = '.';
    out = put_digits(out, of_day % 1000, 3);
    *out++ = 'Z';
    *out = '\0';
}

/* The number in `count` digits at the front of the text, which moves on; -1 when they are none. */
static int take_digits(const char **text, int count)
{
    int number = 0;

    for (; count > 0; count--, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        number = 10 * number + (**text - '0');
    }
    return number;
}

/* Days since 1970 of a valid date, by the calendar's rule in eras of 400 years that begin in March. */
static int64_t days_of_date(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

bool acd_time_parse(struct acd_slice text, int64_t *ms)
{
    static const char separators[] = "--T::.Z";
    static const int widths[] = {4, 2, 2, 2, 2, 2, 3};
    char copy[ACD_TIME_BYTES];
    const char *at = copy;
    int parts[7];

    if (text.len != ACD_TIME_BYTES - 1)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    for (size_t i = 0; i < 7; i++) {
        parts[i] = take_digits(&at, widths[i]);
        if (parts[i] < 0 || *at++ != separators[i])
            return false;
    }
    if (parts[0] < 1970 || !acd_date_valid(parts[0], parts[1], parts[2]) || parts[3] > 23 || parts[4] > 59 ||
        parts[5] > 59)
        return false;
    *ms = days_of_date(parts[0], parts[1], parts[2]) * MS_PER_DAY + parts[3] * INT64_C(3600000) +
          parts[4] * INT64_C(60000) + parts[5] * 1000 + parts[6];
    return true;
}

bool acd_date_valid(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= days[month - 1] + (month == 2 && leap);
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the character that starts at `at` and is no ASCII, or 0 when it is not well-formed: the
 * second byte's range excludes overlong forms, surrogates and what is beyond U+10FFFF. */
static size_t multibyte_length(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t len;

    if (lead >= 0xc2 && lead <= 0xdf) {
        len = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        len = 3;
        if (lead == 0xe0)
            low = 0xa0;
        if (lead == 0xed)
            high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        len = 4;
        if (lead == 0xf0)
            low = 0x90;
        if (lead == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (left < len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (!is_continuation(at[i]))
            return 0;
    }
    return len;
}

bool acd_utf8_valid(struct acd_slice text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    size_t left = text.len;

    while (left) {
        size_t len = 1;
        uint64_t eight;

        /* Most text is ASCII: eight bytes at a time. */
        if (left >= sizeof(eight)) {
            memcpy(&eight, at, sizeof(eight));
            if (!(eight & UINT64_C(0x8080808080808080))) {
                at += sizeof(eight);
                left -= sizeof(eight);
                continue;
            }
        }
        if (*at >= 0x80)
            len = multibyte_length(at, left);
        if (len == 0)
            return false;
        at += len;
        left -= len;
    }
    return true;
}

size_t acd_utf8_cut(struct acd_slice text, size_t max)
{
    if (text.len <= max)
        return text.len;
    while (max && is_continuation((unsigned char)text.data[max]))
        max--;
    return max;
}

bool acd_text_has_control(struct acd_slice text, bool allow_newline_and_tab)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < 0x20 && !(allow_newline_and_tab && (byte == '\n' || byte == '\t')))
            return true;
        if (byte == 0x7f)
            return true;
        /* U+0080–9F are C2 80 to C2 9F. */
        if (byte == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] <= 0x9f)
            return true;
    }
    return false;
}

bool acd_int_parse(struct acd_slice text, int64_t *out)
{
    bool negative = text.len && text.data[0] == '-';
    int64_t number = 0;

    if (text.len == (size_t)negative)
        return false;
    for (size_t i = negative; i < text.len; i++) {
        int digit = text.data[i] - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number))
            return false;
        /* Negative numbers grow downwards, because there is one more of them. */
        if (__builtin_add_overflow(number, negative ? -digit : digit, &number))
            return false;
    }
    *out = number;
    return true;
}

void acd_hex_format(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    *out = '\0';
}
