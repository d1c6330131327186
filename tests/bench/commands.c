#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the zipfian mix; that of YCSB. */
#define SKEW 0.99

/* What prefilled accounts say that they were made at. */
#define STAMP_MS "1767323045006"

/* One writer for both formats: JSON needs commas and ends, MessagePack counts. */
struct out {
    char *at;
    bool msgpack;
    bool first; /* JSON: no comma before what comes */
};

static void put_byte(struct out *out, unsigned byte)
{
    *out->at++ = (char)(unsigned char)byte;
}

static void comma(struct out *out)
{
    if (!out->msgpack && !out->first)
        put_byte(out, ',');
    out->first = false;
}

static void text(struct out *out, const char *value)
{
    size_t len = strlen(value);

    if (out->msgpack && len >= 32)
        put_byte(out, 0xd9);
    put_byte(out, !out->msgpack ? '"' : len < 32 ? 0xa0 | (unsigned)len : (unsigned)len);
    memcpy(out->at, value, len);
    out->at += len;
    if (!out->msgpack)
        put_byte(out, '"');
}

static void key(struct out *out, const char *name)
{
    comma(out);
    text(out, name);
    if (!out->msgpack)
        put_byte(out, ':');
}

static void text_field(struct out *out, const char *name, const char *value)
{
    key(out, name);
    text(out, value);
}

/* Below 128, so one byte of MessagePack. */
static void number_field(struct out *out, const char *name, unsigned value)
{
    key(out, name);
    if (out->msgpack)
        put_byte(out, value);
    else
        out->at += sprintf(out->at, "%u", value);
}

/* Begins a map of fewer than 16 entries, or an array of BENCH_BLOCK. */
static void begin(struct out *out, bool map, unsigned count)
{
    if (out->msgpack && !map) {
        put_byte(out, 0xdc);
        put_byte(out, count >> 8);
    }
    put_byte(out, !out->msgpack ? (map ? '{' : '[') : map ? 0x80 | count : count & 0xff);
    out->first = true;
}

static void end(struct out *out, char bracket)
{
    if (!out->msgpack)
        put_byte(out, (unsigned char)bracket);
    out->first = false;
}

/* splitmix64: the n-th number is had without those before it. */
static uint64_t mixed(uint64_t n)
{
    n = (n + 1) * 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

int bench_mix_init(struct bench_mix *mix, const char *name, const char *format, uint32_t accounts)
{
    *mix = (struct bench_mix){.create = strcmp(name, "create") == 0,
                              .blocks = strcmp(name, "batch") == 0,
                              .msgpack = strcmp(format, "msgpack") == 0,
                              .accounts = accounts};
    if (!mix->msgpack && strcmp(format, "json") != 0)
        return -1;
    if (strcmp(name, "zipf") != 0)
        return mix->create || mix->blocks || strcmp(name, "edit") == 0 ? 0 : -1;
    mix->cumulative = malloc(accounts * sizeof(*mix->cumulative));
    for (uint32_t i = 0; mix->cumulative && i < accounts; i++)
        mix->cumulative[i] = (i ? mix->cumulative[i - 1] : 0) + pow(i + 1, -SKEW);
    return mix->cumulative ? 0 : -1;
}

static uint32_t zipf(const struct bench_mix *mix, uint64_t random)
{
    double wanted = (double)(random >> 11) * 0x1p-53 * mix->cumulative[mix->accounts - 1];
    uint32_t low = 0;
    uint32_t high = mix->accounts - 1;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (mix->cumulative[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    /* The hot ones are spread over the names. */
    return (uint32_t)(mixed(low) % mix->accounts);
}

/* The account that a command is about, or the block of accounts. */
static uint32_t choose(const struct bench_mix *mix, uint64_t n)
{
    if (mix->create)
        return (uint32_t)n;
    if (mix->blocks)
        return (uint32_t)(mixed(n) % (mix->accounts / BENCH_BLOCK));
    return mix->cumulative ? zipf(mix, mixed(n)) : (uint32_t)(mixed(n) % mix->accounts);
}

static void create_profile(struct out *out, uint32_t account)
{
    char value[64];

    key(out, "profile");
    begin(out, true, 5);
    sprintf(value, "Nick %u", account);
    text_field(out, "nickname", value);
    sprintf(value, "https://example.com/photos/%u.png", account);
    text_field(out, "avatar_url", value);
    text_field(out, "gender", "female");
    number_field(out, "language", 1);
    number_field(out, "level", account % 100);
    end(out, '}');
}

static void edit_profile(struct out *out, uint64_t n)
{
    unsigned turn = (unsigned)(mixed(~n) % 10000000);
    char value[64];

    key(out, "profile");
    begin(out, true, 4);
    sprintf(value, "Nick %u", turn);
    text_field(out, "nickname", value);
    sprintf(value, "Bern %u", turn % 100);
    text_field(out, "location", value);
    sprintf(value, "gone fishing, back on day %u", turn);
    text_field(out, "signature", value);
    number_field(out, "level", turn % 100);
    end(out, '}');
}

static void block_accounts(struct out *out, uint32_t block, uint64_t n)
{
    char name[BENCH_KEY_MAX];

    key(out, "accounts");
    begin(out, false, BENCH_BLOCK);
    for (uint32_t i = 0; i < BENCH_BLOCK; i++) {
        comma(out);
        begin(out, true, 2);
        sprintf(name, "user-%08u", block * BENCH_BLOCK + i);
        text_field(out, "account", name);
        edit_profile(out, n * BENCH_BLOCK + i);
        end(out, '}');
    }
    end(out, ']');
}

size_t bench_command(const struct bench_mix *mix, uint64_t n, char buffer[BENCH_COMMAND_MAX],
                     char name[BENCH_KEY_MAX])
{
    struct out out = {.at = buffer, .msgpack = mix->msgpack};
    uint32_t chosen = choose(mix, n);

    sprintf(name, mix->blocks ? "block-%06u" : "user-%08u", chosen);
    begin(&out, true, mix->blocks ? 3 : 4);
    text_field(&out, "op", mix->create ? "create" : "edit");
    text_field(&out, "app", "demo");
    if (mix->blocks) {
        block_accounts(&out, chosen, n);
    } else {
        text_field(&out, "account", name);
        if (mix->create)
            create_profile(&out, chosen);
        else
            edit_profile(&out, n);
    }
    end(&out, '}');
    return (size_t)(out.at - buffer);
}

static char *resp(char *at, const char *const *words, unsigned count)
{
    at += sprintf(at, "*%u\r\n", count);
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    return at;
}

size_t bench_account_resp(uint32_t account, char out[BENCH_COMMAND_MAX])
{
    char name[BENCH_KEY_MAX];
    char hash[64];
    char nickname[32];
    char avatar[64];
    char level[16];
    const char *const set[] = {"HSET",     hash,         "type",       "general",    "rev",
                               "1",        "created_at", STAMP_MS,     "updated_at", STAMP_MS,
                               "nickname", nickname,     "avatar_url", avatar,       "gender",
                               "female",   "language",   "1",          "level",      level};
    const char *const index[] = {"ZADD", "accounts:{demo}", STAMP_MS, name};
    char *at;

    sprintf(name, "user-%08u", account);
    sprintf(hash, "acct:{demo}:%s", name);
    sprintf(nickname, "Nick %u", account);
    sprintf(avatar, "https://example.com/photos/%u.png", account);
    sprintf(level, "%u", account % 100);
    at = resp(out, set, sizeof(set) / sizeof(set[0]));
    return (size_t)(resp(at, index, sizeof(index) / sizeof(index[0])) - out);
}
