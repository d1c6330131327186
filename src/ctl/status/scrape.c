/* Lines of Prometheus' text format, and the few numbers that are wanted of them. */
#include "scrape.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Digits of any number that the format knows. */
#define NUMBER_BYTES 64

static const char *const gauge_names[ACD_CTL_GAUGE_COUNT] = {
#define X(id, name) name,
    ACD_CTL_GAUGES(X)
#undef X
};

static struct acd_slice take_line(struct acd_slice *page)
{
    const char *end = memchr(page->data, '\n', page->len);
    size_t len = end ? (size_t)(end - page->data) : page->len;
    struct acd_slice line = acd_slice(page->data, len);

    *page = acd_slice(page->data + len + (end != NULL), page->len - len - (end != NULL));
    return line;
}

static struct acd_slice skip(struct acd_slice text, size_t count)
{
    return acd_slice(text.data + count, text.len - count);
}

/* The length up to the } that ends the labels, which no quoted text does. SIZE_MAX: there is none. */
static size_t labels_length(struct acd_slice text)
{
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            quoted = !quoted;
        else if (text.data[i] == '}' && !quoted)
            return i;
    }
    return SIZE_MAX;
}

static bool read_value(struct acd_slice text, double *out)
{
    char digits[NUMBER_BYTES];
    size_t len = 0;
    char *end;

    while (text.len && (*text.data == ' ' || *text.data == '\t'))
        text = skip(text, 1);
    /* What follows is the sample's time. */
    while (len < text.len && !isspace((unsigned char)text.data[len]))
        len++;
    if (len == 0 || len >= sizeof(digits))
        return false;
    memcpy(digits, text.data, len);
    digits[len] = '\0';
    *out = strtod(digits, &end);
    return *end == '\0';
}

static bool read_sample(struct acd_slice line, struct acd_ctl_sample *out)
{
    size_t len = 0;

    while (len < line.len && (isalnum((unsigned char)line.data[len]) || line.data[len] == '_'))
        len++;
    out->name = acd_slice(line.data, len);
    out->labels = acd_slice(NULL, 0);
    line = skip(line, len);
    if (line.len && *line.data == '{') {
        line = skip(line, 1);
        len = labels_length(line);
        if (len == SIZE_MAX)
            return false;
        out->labels = acd_slice(line.data, len);
        line = skip(line, len + 1);
    }
    return out->name.len && read_value(line, &out->value);
}

bool acd_ctl_sample_next(struct acd_slice *page, struct acd_ctl_sample *out)
{
    while (page->len) {
        struct acd_slice line = take_line(page);

        if (line.len && *line.data != '#' && read_sample(line, out))
            return true;
    }
    return false;
}

/* Writes quoted text up to its closing quote, and returns what follows that. */
static struct acd_slice unquote(struct acd_slice text, char *out, size_t bytes)
{
    size_t len = 0;

    for (; text.len && *text.data != '"'; text = skip(text, 1)) {
        char letter = *text.data;

        if (letter == '\\' && text.len > 1) {
            text = skip(text, 1);
            letter = *text.data == 'n' ? '\n' : *text.data;
        }
        if (len + 1 < bytes)
            out[len++] = letter;
    }
    if (bytes)
        out[len] = '\0';
    return skip(text, text.len > 0);
}

bool acd_ctl_sample_label(const struct acd_ctl_sample *sample, const char *name, char *out, size_t bytes)
{
    struct acd_slice rest = sample->labels;

    while (rest.len) {
        const char *equals = memchr(rest.data, '=', rest.len);
        struct acd_slice found;

        if (!equals)
            return false;
        found = acd_slice(rest.data, (size_t)(equals - rest.data));
        rest = skip(rest, found.len + 1);
        if (!rest.len || *rest.data != '"')
            return false;
        rest = skip(rest, 1);
        if (acd_slice_is(found, name)) {
            (void)unquote(rest, out, bytes);
            return true;
        }
        rest = unquote(rest, NULL, 0);
        while (rest.len && (*rest.data == ',' || *rest.data == ' '))
            rest = skip(rest, 1);
    }
    return false;
}

static void add_code(struct acd_ctl_scrape *scrape, const struct acd_ctl_sample *sample)
{
    struct acd_ctl_code_count fresh = {.commands = 0};
    size_t i = 0;

    if (!acd_ctl_sample_label(sample, "code", fresh.code, sizeof(fresh.code)))
        return;
    while (i < scrape->code_count && strcmp(scrape->codes[i].code, fresh.code) != 0)
        i++;
    if (i == ACD_CTL_CODES_MAX)
        return;
    if (i == scrape->code_count)
        scrape->codes[scrape->code_count++] = fresh;
    scrape->codes[i].commands += sample->value;
}

static void add_bucket(struct acd_ctl_scrape *scrape, const struct acd_ctl_sample *sample)
{
    char bound[NUMBER_BYTES];

    if (scrape->bucket_count == ACD_CTL_BUCKETS_MAX ||
        !acd_ctl_sample_label(sample, "le", bound, sizeof(bound)))
        return;
    scrape->buckets[scrape->bucket_count++] = (struct acd_ctl_bucket){strtod(bound, NULL), sample->value};
}

void acd_ctl_scrape_read(struct acd_slice page, struct acd_ctl_scrape *out)
{
    struct acd_ctl_sample sample;

    *out = (struct acd_ctl_scrape){.version = ""};
    for (size_t i = 0; i < ACD_CTL_GAUGE_COUNT; i++)
        out->gauges[i] = NAN;
    while (acd_ctl_sample_next(&page, &sample)) {
        if (acd_slice_is(sample.name, "accountd_build_info"))
            (void)acd_ctl_sample_label(&sample, "version", out->version, sizeof(out->version));
        else if (acd_slice_is(sample.name, "accountd_commands_total"))
            add_code(out, &sample);
        else if (acd_slice_is(sample.name, "accountd_command_duration_seconds_bucket"))
            add_bucket(out, &sample);
        else
            for (size_t i = 0; i < ACD_CTL_GAUGE_COUNT; i++)
                if (acd_slice_is(sample.name, gauge_names[i]))
                    out->gauges[i] = (isnan(out->gauges[i]) ? 0 : out->gauges[i]) + sample.value;
    }
}

double acd_ctl_scrape_commands(const struct acd_ctl_scrape *scrape)
{
    double commands = 0;

    for (size_t i = 0; i < scrape->code_count; i++)
        commands += scrape->codes[i].commands;
    return commands;
}

bool acd_ctl_scrape_continues(const struct acd_ctl_scrape *now, const struct acd_ctl_scrape *before)
{
    return now->gauges[ACD_CTL_GAUGE_START] == before->gauges[ACD_CTL_GAUGE_START] &&
           strcmp(now->version, before->version) == 0 && now->bucket_count == before->bucket_count;
}

double acd_ctl_scrape_gained(const struct acd_ctl_scrape *now, const struct acd_ctl_scrape *before, size_t i)
{
    for (size_t j = 0; j < before->code_count; j++)
        if (strcmp(before->codes[j].code, now->codes[i].code) == 0)
            return now->codes[i].commands - before->codes[j].commands;
    return now->codes[i].commands;
}

double acd_ctl_scrape_quantile(const struct acd_ctl_scrape *now, const struct acd_ctl_scrape *before,
                               double quantile)
{
    size_t last = now->bucket_count - 1;
    double below = 0;
    double bound = 0;
    double rank;

    if (now->bucket_count < 2)
        return NAN;
    rank = quantile * (now->buckets[last].count - before->buckets[last].count);
    if (!(rank > 0))
        return NAN;
    for (size_t i = 0; i < last; i++) {
        double count = now->buckets[i].count - before->buckets[i].count;

        if (count >= rank)
            return bound + (now->buckets[i].bound - bound) * (rank - below) / (count - below);
        below = count;
        bound = now->buckets[i].bound;
    }
    return bound;
}
