/* An order of the commands that keeps the order of each partition and makes every reply true. */
#include <stdio.h>
#include <stdlib.h>

#include "checker.h"

struct search {
    struct check *check;
    uint32_t **queues; /* of each partition: indexes of posts */
    uint32_t *lengths;
    uint32_t *at; /* how far each partition is */
    uint64_t *seen;
    uint32_t seen_count;
    uint32_t seen_capacity;
    uint32_t *path;
    uint32_t placed;
    uint32_t best_placed; /* the most commands that were in some order, and what was there then */
    uint32_t *best_at;
    struct account *best_accounts;
};

/* ---- Revisions */

struct step {
    const struct post *post;
    uint32_t subject;
    int64_t revision;
};

static int by_revision(const void *a, const void *b)
{
    const struct step *x = a;
    const struct step *y = b;

    if (x->subject != y->subject)
        return x->subject < y->subject ? -1 : 1;
    return (x->revision > y->revision) - (x->revision < y->revision);
}

/* One revision of an account and the one before it, or NULL. */
static bool check_step(struct check *check, const struct step *step, const struct step *before)
{
    const struct subject *subject = &check->subjects[step->subject];
    int64_t due = before ? before->revision + 1 : 1;

    if (step->revision == due)
        return true;
    if (before && step->revision == before->revision)
        return check_fail(check, "%s/%s: revision %lld was made twice:\n  %s\n  %s", subject->app,
                          subject->name, (long long)step->revision, check_dump(check, before->post->reply),
                          check_dump(check, step->post->reply));
    return check_fail(check, "%s/%s: nothing made revision %lld, but there is %lld:\n  %s", subject->app,
                      subject->name, (long long)due, (long long)step->revision,
                      check_dump(check, step->post->reply));
}

bool check_revisions(struct check *check)
{
    struct step *steps;
    uint32_t capacity = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < check->history->command_count; i++)
        capacity += check->posts[i].order_count;
    steps = acd_arena_calloc(check->arena, (size_t)capacity + 1, sizeof(*steps));
    for (uint32_t i = 0; i < check->history->command_count; i++) {
        const struct post *post = &check->posts[i];

        for (uint32_t n = 0; n < post->order_count && !post->dry_run; n++)
            if (!post->said[n].code && post->said[n].changed)
                steps[count++] = (struct step){post, post->orders[n].subject, post->said[n].revision};
    }
    qsort(steps, count, sizeof(*steps), by_revision);
    for (uint32_t i = 0; i < count; i++)
        if (!check_step(check, &steps[i],
                        i > 0 && steps[i - 1].subject == steps[i].subject ? &steps[i - 1] : NULL))
            return false;
    return true;
}

/* ---- What was tried already */

static uint64_t mix(uint64_t hash, int64_t value)
{
    hash = (hash ^ (uint64_t)value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const struct search *search, const struct account *accounts)
{
    uint64_t hash = 1;

    for (int32_t p = 0; p < search->check->history->partitions; p++)
        hash = mix(hash, search->at[p]);
    for (uint32_t i = 0; i < search->check->subject_count; i++) {
        hash = mix(hash, accounts[i].exists * 2 + accounts[i].admin);
        hash = mix(hash, accounts[i].revision);
        hash = mix(hash, accounts[i].created_ms);
        hash = mix(hash, accounts[i].updated_ms);
        hash = mix(hash, accounts[i].profile);
    }
    return hash | 1;
}

static void insert(uint64_t *table, uint32_t capacity, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash >> 32) & (capacity - 1);

    while (table[i])
        i = (i + 1) & (capacity - 1);
    table[i] = hash;
}

/* False when these accounts were met at these positions before. */
static bool remember(struct search *search, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash >> 32) & (search->seen_capacity - 1);

    for (; search->seen_capacity && search->seen[i]; i = (i + 1) & (search->seen_capacity - 1))
        if (search->seen[i] == hash)
            return false;
    if (search->seen_count >= search->seen_capacity / 2) {
        uint32_t capacity = search->seen_capacity ? 2 * search->seen_capacity : 256;
        uint64_t *table = acd_arena_calloc(search->check->arena, capacity, sizeof(*table));

        for (uint32_t n = 0; n < search->seen_capacity; n++)
            if (search->seen[n])
                insert(table, capacity, search->seen[n]);
        search->seen = table;
        search->seen_capacity = capacity;
    }
    insert(search->seen, search->seen_capacity, hash);
    search->seen_count++;
    return true;
}

/* ---- The search */

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
    if (!a->code != !b->code || (a->code && strcmp(a->code, b->code) != 0) || a->revision != b->revision ||
        a->changed != b->changed || a->record != b->record)
        return false;
    return !a->record || (a->admin == b->admin && a->created_ms == b->created_ms &&
                          a->updated_ms == b->updated_ms && a->profile == b->profile);
}

/* True when the reply of the command is true of these accounts, which become those after it. */
static bool fits(struct check *check, const struct post *post, struct account *accounts, bool *changes)
{
    struct outcome outcomes[100];

    *changes = false;
    if (post->op == CHECK_LIST && !post->code)
        return check_list(check, post, accounts);
    check_apply(check, post, accounts, outcomes);
    for (uint32_t i = 0; i < post->order_count; i++) {
        if (!same_outcome(&outcomes[i], &post->said[i]))
            return false;
        *changes |= outcomes[i].changed && !post->dry_run;
    }
    return true;
}

static const struct post *next_of(const struct search *search, int32_t partition)
{
    return search->at[partition] < search->lengths[partition]
               ? &search->check->posts[search->queues[partition][search->at[partition]]]
               : NULL;
}

static void place(struct search *search, int32_t partition)
{
    search->path[search->placed++] = search->queues[partition][search->at[partition]++];
}

static struct account *copy_of(const struct search *search, const struct account *accounts)
{
    size_t bytes = search->check->subject_count * sizeof(*accounts);

    return memcpy(acd_arena_alloc(search->check->arena, bytes), accounts, bytes);
}

/* Whatever changes nothing and is true now may as well come now: that takes no other order away. */
static void place_reads(struct search *search, const struct account *accounts)
{
    int32_t partitions = search->check->history->partitions;
    struct account *trial = copy_of(search, accounts);
    bool news = true;

    while (news) {
        news = false;
        for (int32_t p = 0; p < partitions; p++) {
            const struct post *post = next_of(search, p);
            bool changes;

            if (!post)
                continue;
            if (fits(search->check, post, trial, &changes) && !changes) {
                place(search, p);
                news = true;
            } else {
                memcpy(trial, accounts, search->check->subject_count * sizeof(*accounts));
            }
        }
    }
}

static void keep_best(struct search *search, const struct account *accounts)
{
    if (search->best_accounts && search->placed <= search->best_placed)
        return;
    search->best_placed = search->placed;
    memcpy(search->best_at, search->at, (size_t)search->check->history->partitions * sizeof(*search->at));
    search->best_accounts = copy_of(search, accounts);
}

static bool explore(struct search *search, const struct account *accounts)
{
    int32_t partitions = search->check->history->partitions;
    uint32_t placed = search->placed;
    uint32_t *at = acd_arena_alloc(search->check->arena, (size_t)partitions * sizeof(*at));
    bool changes;

    place_reads(search, accounts);
    keep_best(search, accounts);
    if (search->placed == search->check->history->command_count)
        return true;
    memcpy(at, search->at, (size_t)partitions * sizeof(*at));
    if (remember(search, hash_of(search, accounts))) {
        uint32_t here = search->placed;

        for (int32_t p = 0; p < partitions; p++) {
            const struct post *post = next_of(search, p);
            struct account *after = post ? copy_of(search, accounts) : NULL;

            if (!post || !fits(search->check, post, after, &changes))
                continue;
            place(search, p);
            if (explore(search, after))
                return true;
            search->placed = here;
            memcpy(search->at, at, (size_t)partitions * sizeof(*at));
        }
    }
    for (uint32_t i = placed; i < search->placed; i++)
        search->at[search->check->posts[search->path[i]].command->partition]--;
    search->placed = placed;
    return false;
}

/* ---- When there is none */

static const char *outcomes_text(struct check *check, const struct post *post, const struct outcome *outcomes)
{
    const char *text = "";

    for (uint32_t i = 0; i < post->order_count; i++) {
        const struct outcome *outcome = &outcomes[i];

        text = acd_arena_format(
                   check->arena, "%s %s: %s revision %lld%s%s%s", text,
                   check->subjects[post->orders[i].subject].name, outcome->code ? outcome->code : "ok",
                   (long long)outcome->revision, outcome->changed ? " changed" : "",
                   outcome->record
                       ? acd_arena_format(check->arena, " created %lld updated %lld ",
                                          (long long)outcome->created_ms, (long long)outcome->updated_ms)
                             .data
                       : "",
                   outcome->record ? check->profile_texts[outcome->profile] : "")
                   .data;
    }
    return text;
}

static const char *accounts_text(struct check *check, const struct account *accounts)
{
    const char *text = "";

    for (uint32_t i = 0; i < check->subject_count; i++)
        if (accounts[i].revision)
            text = acd_arena_format(check->arena, "%s\n    %s/%s: %s revision %lld%s", text,
                                    check->subjects[i].app, check->subjects[i].name,
                                    !accounts[i].exists ? "deleted"
                                    : accounts[i].admin ? "admin"
                                                        : "general",
                                    (long long)accounts[i].revision,
                                    accounts[i].exists ? check->profile_texts[accounts[i].profile] : "")
                       .data;
    return text;
}

/* The furthest point of all orders, and why each partition's next command cannot come there. */
static bool explain(struct search *search)
{
    struct check *check = search->check;
    const char *text = "";
    struct outcome outcomes[100];

    memcpy(search->at, search->best_at, (size_t)check->history->partitions * sizeof(*search->at));
    for (int32_t p = 0; p < check->history->partitions; p++) {
        const struct post *post = next_of(search, p);
        struct account *accounts = copy_of(search, search->best_accounts);

        if (!post)
            continue;
        if (post->op != CHECK_LIST)
            check_apply(check, post, accounts, outcomes);
        text = acd_arena_format(check->arena,
                                "%s\n  next of partition %d, offset %lld: %s\n    says%s\n    "
                                "would be%s",
                                text, p, (long long)post->command->offset, check_dump(check, post->reply),
                                outcomes_text(check, post, post->said), outcomes_text(check, post, outcomes))
                   .data;
    }
    return check_fail(check,
                      "no order of the commands makes every reply true; at best %u of %u, and then%s\n  with "
                      "the accounts%s",
                      search->best_placed, check->history->command_count, text,
                      accounts_text(check, search->best_accounts));
}

bool check_search(struct check *check, uint32_t *path)
{
    size_t partitions = (size_t)check->history->partitions;
    struct search search = {.check = check, .path = path};
    struct account *accounts = acd_arena_calloc(check->arena, check->subject_count, sizeof(*accounts));

    search.queues = acd_arena_calloc(check->arena, partitions, sizeof(*search.queues));
    search.lengths = acd_arena_calloc(check->arena, partitions, sizeof(*search.lengths));
    search.at = acd_arena_calloc(check->arena, partitions, sizeof(*search.at));
    search.best_at = acd_arena_calloc(check->arena, partitions, sizeof(*search.best_at));
    for (size_t p = 0; p < partitions; p++)
        search.queues[p] =
            acd_arena_calloc(check->arena, check->history->command_count, sizeof(*search.queues[p]));
    for (uint32_t i = 0; i < check->history->command_count; i++) {
        size_t p = (size_t)check->history->commands[i].partition;

        search.queues[p][search.lengths[p]++] = i;
    }
    return explore(&search, accounts) || explain(&search);
}
