/* Rules, and who holds which. */
#include "accountd/rules.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static struct acd_rules *fill(struct acd_rules *rules, const struct acd_settings *settings)
{
    const struct acd_strings *apps = &settings->apps;

    rules->apps = calloc((size_t)apps->count + 1, sizeof(*rules->apps));
    if (!rules->apps) {
        free(rules);
        return NULL;
    }
    for (uint32_t i = 0; i < apps->count; i++)
        rules->apps[i] = acd_slice_str(apps->items[i]);
    rules->settings = settings;
    rules->policy = (struct acd_policy){rules->apps, apps->count, settings->limits.admins_per_app};
    return rules;
}

struct acd_rules *acd_rules_new(const struct acd_settings *settings)
{
    struct acd_rules *rules = calloc(1, sizeof(*rules));

    return rules ? fill(rules, settings) : NULL;
}

struct acd_rules *acd_rules_take_over(struct acd_settings *settings)
{
    struct acd_rules *rules = calloc(1, sizeof(*rules));

    if (!rules)
        return NULL;
    rules->own = *settings;
    rules = fill(rules, &rules->own);
    if (rules)
        *settings = (struct acd_settings){0};
    return rules;
}

int acd_rules_route(struct acd_rules *rules, const struct acd_own_topics *own, struct acd_topics *topics)
{
    acd_router_free(rules->router);
    rules->router = acd_router_new(rules->settings, own, topics);
    return rules->router ? 0 : -1;
}

void acd_rules_keys(struct acd_rules *rules, struct acd_keyring *keyring)
{
    acd_keyring_free(rules->keys);
    rules->keys = keyring;
    rules->keyring = keyring;
}

void acd_rules_free(struct acd_rules *rules)
{
    if (!rules)
        return;
    assert(rules->holders == 0);
    acd_router_free(rules->router);
    acd_keyring_free(rules->keys);
    acd_settings_free(&rules->own);
    free(rules->apps);
    free(rules);
}

void acd_rulebook_init(struct acd_rulebook *book)
{
    pthread_condattr_t attributes;

    *book = (struct acd_rulebook){0};
    pthread_mutex_init(&book->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&book->freed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void acd_rulebook_destroy(struct acd_rulebook *book)
{
    assert(book->outdated == 0);
    acd_rules_free(book->present);
    pthread_cond_destroy(&book->freed);
    pthread_mutex_destroy(&book->lock);
}

void acd_rulebook_put(struct acd_rulebook *book, struct acd_rules *rules)
{
    struct acd_rules *before;

    pthread_mutex_lock(&book->lock);
    before = book->present;
    book->present = rules;
    if (before && before->holders) {
        book->outdated++;
        before = NULL;
    }
    pthread_mutex_unlock(&book->lock);
    acd_rules_free(before);
}

/* Counts a holder less. Returns the rules when they are to be freed. */
static struct acd_rules *let_go(struct acd_rulebook *book, const struct acd_rules *held)
{
    struct acd_rules *rules = (struct acd_rules *)(uintptr_t)held;

    if (!rules || --rules->holders > 0 || rules == book->present)
        return NULL;
    book->outdated--;
    pthread_cond_broadcast(&book->freed);
    return rules;
}

const struct acd_rules *acd_rulebook_take(struct acd_rulebook *book, const struct acd_rules *held)
{
    struct acd_rules *unused;
    struct acd_rules *present;

    pthread_mutex_lock(&book->lock);
    present = book->present;
    present->holders++;
    unused = let_go(book, held);
    pthread_mutex_unlock(&book->lock);
    acd_rules_free(unused);
    return present;
}

void acd_rulebook_give_back(struct acd_rulebook *book, const struct acd_rules *held)
{
    struct acd_rules *unused;

    pthread_mutex_lock(&book->lock);
    unused = let_go(book, held);
    pthread_mutex_unlock(&book->lock);
    acd_rules_free(unused);
}

bool acd_rulebook_settle(struct acd_rulebook *book, int timeout_ms)
{
    struct timespec until;
    bool settled;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&book->lock);
    while (book->outdated && pthread_cond_timedwait(&book->freed, &book->lock, &until) != ETIMEDOUT)
        ;
    settled = book->outdated == 0;
    pthread_mutex_unlock(&book->lock);
    return settled;
}
