/* A window of time for each kind of line. */
#include "log_limit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "accountd/clock.h"

#define LINES_MAX 50
#define WINDOW_MS 10000

/* More than there are calls of acd_log; kinds beyond it are not limited. */
#define KINDS_MAX 128

struct kind {
    const char *name; /* NULL: free */
    int64_t since_ms;
    uint32_t lines;
    int64_t suppressed_ms; /* the first of those that are not told yet */
    struct acd_log_suppressed suppressed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kind kinds[KINDS_MAX];

/* NULL when all are taken. */
static struct kind *find(const char *name)
{
    for (uint32_t i = 0; i < KINDS_MAX; i++) {
        if (!kinds[i].name)
            kinds[i].name = name;
        if (kinds[i].name == name)
            return &kinds[i];
    }
    return NULL;
}

static bool take(struct kind *kind, enum acd_log_level level, const char *text)
{
    int64_t now = acd_clock_ms();

    if (now - kind->since_ms >= WINDOW_MS) {
        kind->since_ms = now;
        kind->lines = 0;
    }
    if (kind->lines < LINES_MAX) {
        kind->lines++;
        return true;
    }
    if (kind->suppressed.count++ == 0)
        kind->suppressed_ms = now;
    kind->suppressed.level = level;
    snprintf(kind->suppressed.last, sizeof(kind->suppressed.last), "%s", text);
    return false;
}

bool acd_log_limit(const char *kind, enum acd_log_level level, const char *text)
{
    struct kind *own;
    bool may;

    pthread_mutex_lock(&lock);
    own = find(kind);
    may = !own || take(own, level, text);
    pthread_mutex_unlock(&lock);
    return may;
}

bool acd_log_limit_over(bool now, struct acd_log_suppressed *out)
{
    int64_t time = acd_clock_ms();
    bool found = false;

    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < KINDS_MAX && !found; i++) {
        struct kind *kind = &kinds[i];

        if (kind->suppressed.count == 0 || (!now && time - kind->suppressed_ms < WINDOW_MS))
            continue;
        *out = kind->suppressed;
        kind->suppressed.count = 0;
        found = true;
    }
    pthread_mutex_unlock(&lock);
    return found;
}
