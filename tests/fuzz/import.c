/* The records of a file do not depend on how it is read; what one of them is, its entry is, too; and a
 * rejected one is in the file of rejects as it was. */
#include "import.h"

#include <string.h>

#include "accountd/text.h"
#include "ctl/import/frame.h"
#include "ctl/import/rejects.h"

#define RECORDS_MAX 64

struct import {
    struct acd_arena *arena;
    struct acd_ctl_frame frame;
    struct acd_ctl_csv csv;
    bool header; /* it is read, or not wanted */
    const char *wrong;
    uint32_t count;
    struct {
        int64_t number;
        bool overlong;
        struct acd_slice text;
    } records[RECORDS_MAX];
};

static void keep(struct import *import)
{
    struct acd_slice text = fuzz_exact(import->arena, acd_ctl_frame_record(&import->frame));

    if (!import->header) {
        import->header = true;
        import->wrong = acd_ctl_csv_header(&import->csv, import->arena, text);
        return;
    }
    if (import->count == RECORDS_MAX)
        return;
    FUZZ_CHECK(import->count == 0 || import->frame.number > import->records[import->count - 1].number,
               "record %u is not after the one before", import->count);
    import->records[import->count].number = import->frame.number;
    import->records[import->count].overlong = import->frame.overlong;
    import->records[import->count++].text = text;
}

static void cut(struct import *import, struct acd_arena *arena, enum acd_format format, struct acd_slice file,
                size_t piece)
{
    bool complete;

    import->arena = arena;
    import->count = 0;
    import->wrong = NULL;
    import->header = format != ACD_CSV;
    acd_ctl_frame_init(&import->frame, format);
    while (file.len && !import->frame.broken) {
        size_t len = file.len < piece ? file.len : piece;
        size_t used =
            acd_ctl_frame_feed(&import->frame, fuzz_exact(arena, acd_slice(file.data, len)), &complete);

        FUZZ_CHECK(used <= len, "%zu of %zu", used, len);
        FUZZ_CHECK(used || complete || import->frame.broken, "nothing is consumed");
        if (complete)
            keep(import);
        file = acd_slice(file.data + used, file.len - used);
    }
    if (!import->frame.broken && acd_ctl_frame_end(&import->frame))
        keep(import);
}

static void compare(const struct import *a, const struct import *b)
{
    FUZZ_CHECK(a->count == b->count, "%u and %u", a->count, b->count);
    FUZZ_CHECK(!a->frame.broken == !b->frame.broken, "one is broken");
    FUZZ_CHECK(!a->wrong == !b->wrong, "one has a header");
    for (uint32_t i = 0; i < a->count; i++) {
        FUZZ_CHECK(a->records[i].number == b->records[i].number, "record %u", i);
        FUZZ_CHECK(acd_slice_equal(a->records[i].text, b->records[i].text), "record %u", i);
    }
}

static void read_entry(const struct import *import, enum acd_format format, struct acd_slice text,
                       const struct acd_ctl_csv *csv, struct acd_ctl_entry *out)
{
    struct acd_slice app = acd_slice_str("app");

    if (format == ACD_CSV)
        acd_ctl_csv_row(csv, import->arena, app, text, out);
    else
        acd_ctl_entry_decode(import->arena, app, format, text, out);
}

static void same_entry(const struct acd_ctl_entry *a, const struct acd_ctl_entry *b)
{
    FUZZ_CHECK(a->refusal.code == b->refusal.code, "%d is %d: %.*s", a->refusal.code, b->refusal.code,
               ACD_SLICE_ARGS(b->refusal.message));
    FUZZ_CHECK(acd_slice_equal(a->json, b->json), "%.*s is %.*s", ACD_SLICE_ARGS(a->json),
               ACD_SLICE_ARGS(b->json));
}

/* True where a row's fault may stand in a column of an earlier file of rejects, which the next one leaves
 * out. */
static bool may_lose_its_fault(const struct import *import, enum acd_format format, struct acd_slice text)
{
    bool left_out = false;

    for (uint32_t i = 0; format == ACD_CSV && i < import->csv.count; i++)
        left_out |= import->csv.columns[i].rejected;
    return left_out && !acd_utf8_valid(text);
}

/* What a file of rejects holds of it is the same entry, unless it is shown as text. */
static void check_reject(const struct import *import, enum acd_format format, uint32_t index,
                         const struct acd_ctl_entry *entry)
{
    struct acd_ctl_rejects rejects = {.format = format, .csv = &import->csv};
    struct acd_ctl_line line = {.number = import->records[index].number,
                                .text = import->records[index].text,
                                .cut = import->records[index].overlong,
                                .account = entry->account,
                                .code = acd_slice_str("internal"),
                                .message = acd_slice_str("=\"message\"")};
    struct acd_slice text = acd_ctl_rejects_text(&rejects, import->arena, &line, format == ACD_CSV);
    static struct import again;
    struct acd_ctl_entry entry_again;

    cut(&again, import->arena, format == ACD_CSV ? ACD_CSV : ACD_NDJSON, text, text.len);
    FUZZ_CHECK(!again.wrong, "%s", again.wrong);
    FUZZ_CHECK(again.count == 1, "%u records in %.*s", again.count, ACD_SLICE_ARGS(text));
    read_entry(&again, format == ACD_CSV ? ACD_CSV : ACD_NDJSON, again.records[0].text, &again.csv,
               &entry_again);
    if (entry->refusal.code != ACD_MALFORMED)
        same_entry(entry, &entry_again);
    else if (!may_lose_its_fault(import, format, import->records[index].text))
        FUZZ_CHECK(entry_again.refusal.code != ACD_OK, "what is malformed is an entry");
}

static void check_record(const struct import *import, enum acd_format format, uint32_t index)
{
    struct acd_ctl_entry entry;
    struct acd_ctl_entry again;

    if (import->records[index].overlong)
        return;
    read_entry(import, format, import->records[index].text, &import->csv, &entry);
    FUZZ_CHECK((entry.refusal.code == ACD_OK) == (entry.json.len > 0), "neither entry nor refusal");
    if (entry.refusal.code == ACD_OK) {
        FUZZ_CHECK(entry.account.len > 0, "an entry without account");
        acd_ctl_entry_decode(import->arena, acd_slice_str("app"), ACD_NDJSON, entry.json, &again);
        same_entry(&entry, &again);
    }
    check_reject(import, format, index, &entry);
}

void fuzz_import(enum acd_format format, const uint8_t *data, size_t size)
{
    static struct import whole;
    static struct import pieces;
    struct fuzz_input input = {data, size};
    struct acd_arena arena;
    struct acd_slice file;
    size_t piece;

    acd_arena_init(&arena);
    piece = 1 + (size_t)fuzz_byte(&input);
    file = fuzz_rest(&input, &arena);
    cut(&whole, &arena, format, file, file.len);
    cut(&pieces, &arena, format, file, piece);
    compare(&whole, &pieces);
    for (uint32_t i = 0; i < whole.count && !whole.wrong; i++)
        check_record(&whole, format, i);
    acd_arena_free(&arena);
}
