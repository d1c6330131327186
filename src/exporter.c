/* The sweep over an app's index, and the threads that do it.
 *
 * An app's accounts are read by creation, page by page, up to the one that was the newest when the sweep
 * began: what is created meanwhile does not keep it from ending. Each account is as it was when its page was
 * read. As soon as a page's names are there, the next page's names and its accounts are asked for; while
 * Redis is at these, the accounts of the page before are taken and go into the file. */
#include "exporter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/file_stream.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/sender.h"
#include "accountd/store.h"

/* Accounts that are read in one go. Each page is a wait for Redis, so that larger ones are faster; the
 * workers do not wait for a whole page, since Redis takes a few hundred commands of a connection at a time.
 */
#define PAGE_ACCOUNTS_MIN 100
#define PAGE_ACCOUNTS_MAX 1000

/* Memory that a page may take: of large accounts fewer are read in one go. */
#define PAGE_BYTES_SMALL ((size_t)1 << 20)
#define PAGE_BYTES_LARGE ((size_t)4 << 20)

/* After this long a chunk goes although it is not full: of accounts that are packed well a full one takes
 * many seconds, in which whoever waits would hear nothing. */
#define CHUNK_EVERY_MS 1000

/* A page of the index, and its accounts. */
struct leaf {
    struct acd_arena arena;
    struct acd_page page;
};

struct acd_task {
    struct acd_exporter *exporter;
    struct acd_task *next;
    struct acd_arena order_arena; /* what the order was copied to, and the manifest */
    struct leaf leaves[2];        /* by turns: where a page begins stands in the one before */
    uint32_t turn;
    struct acd_command command;
    struct acd_manifest manifest;
    struct acd_slice incarnation;
    const struct acd_settings *settings;
    struct acd_store_handle *store;
    struct acd_sender *sender;
    struct acd_file_stream *stream;
    int64_t newest_ms;
    struct acd_slice newest;
    int64_t chunk_at_ms; /* when the last one went, or the sweep began */
    int64_t read;        /* accounts of the index that are in the file, or left out */
    int64_t total;       /* … that it had when the sweep began */
    atomic_bool cancelled;
    enum acd_task_state state; /* this and the next three: under the exporter's lock */
    bool taken;                /* a thread is at it */
    bool dropped;
    char error[300];
};

struct acd_exporter {
    const struct acd_settings *settings;
    pthread_mutex_t lock;
    pthread_cond_t told;
    struct acd_task *waiting;
    pthread_t *threads;
    uint32_t thread_count;
    uint32_t idle;
    bool ending;
};

/* ---- One sweep */

__attribute__((format(printf, 2, 3))) static int fail(struct acd_task *task, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(task->error, sizeof(task->error), format, args);
    va_end(args);
    return -1;
}

static int redis_failed(struct acd_task *task)
{
    return fail(task, "Redis: %s", acd_store_error(task->store));
}

/* That of this turn, which is read, and the one before, which goes into the file. */
static struct leaf *leaf_at(struct acd_task *task)
{
    return &task->leaves[task->turn % 2];
}

static struct leaf *leaf_before(struct acd_task *task)
{
    return &task->leaves[(task->turn + 1) % 2];
}

static int send_chunk(void *context, int64_t seq, const struct acd_chunk *chunk)
{
    struct acd_task *task = context;
    struct acd_header headers[ACD_CHUNK_HEADERS + 1];
    struct acd_outgoing message = {.topic = acd_slice_str(task->settings->kafka.exports),
                                   .partition = ACD_ANY_PARTITION,
                                   .key = task->manifest.export_id,
                                   .value = chunk->value,
                                   .headers = headers};

    task->chunk_at_ms = acd_clock_ms();
    message.header_count = acd_chunk_headers(&leaf_at(task)->arena, &task->manifest, seq, chunk, headers);
    headers[message.header_count++] = (struct acd_header){
        acd_slice_str("export-progress"),
        acd_arena_format(&leaf_at(task)->arena, "%lld/%lld", (long long)task->read, (long long)task->total)};
    return acd_sender_send(task->sender, &message) ? fail(task, "Kafka: %s", acd_sender_error(task->sender))
                                                   : 0;
}

static int open_task(struct acd_task *task)
{
    char error[256] = "no memory";
    struct acd_slice present;

    task->store = acd_store_open(task->settings);
    if (!task->store)
        return fail(task, "no memory");
    if (acd_store_connect(task->store, &leaf_at(task)->arena) != ACD_STORE_OK ||
        acd_store_incarnation(task->store, &leaf_at(task)->arena, &present) != ACD_STORE_OK)
        return redis_failed(task);
    if (!acd_slice_equal(present, task->incarnation))
        return fail(task, "Redis is another one by now");
    if (acd_store_newest(task->store, &task->order_arena, task->command.app, &task->newest_ms,
                         &task->newest) != ACD_STORE_OK)
        return redis_failed(task);
    task->sender = acd_sender_open(task->settings, &task->cancelled, error, sizeof(error));
    if (!task->sender)
        return fail(task, "Kafka: %s", error);
    task->stream =
        acd_file_stream_open(&task->command, (size_t)task->settings->limits.chunk_bytes, send_chunk, task);
    return task->stream ? 0 : fail(task, "no memory");
}

/* True behind the last account of the sweep: for those that were created after it began, or not before the
 * time that the command says. */
static bool is_behind(const struct acd_task *task, int64_t created_at_ms, struct acd_slice name)
{
    if (created_at_ms >= task->command.created_before_ms)
        return true;
    if (created_at_ms != task->newest_ms)
        return created_at_ms > task->newest_ms;
    return acd_slice_compare(name, task->newest) > 0;
}

/* Takes the names of a page, and leaves out those that are behind the end. `more` tells whether another page
 * follows; the command's cursor then says where. */
static int take_names(struct acd_task *task, struct leaf *leaf, bool *more)
{
    struct acd_page *page = &leaf->page;
    uint32_t count = 0;

    if (acd_store_take_page(task->store, &leaf->arena, page) != ACD_STORE_OK)
        return redis_failed(task);
    if (task->turn == 1)
        task->total = page->total;
    while (count < page->count && !is_behind(task, page->created_at_ms[count], page->names[count]))
        count++;
    *more = page->more && count == page->count && count > 0;
    page->count = count;
    if (!*more)
        return 0;
    task->command.list_from_cursor = true;
    task->command.cursor_created_at_ms = page->created_at_ms[count - 1];
    task->command.cursor_account = page->names[count - 1];
    return 0;
}

/* Takes the accounts of a page, and puts them into the file. One that is not there, or was created anew since
 * the index was read, is gone. */
static int take_accounts(struct acd_task *task, struct leaf *leaf)
{
    const struct acd_page *page = &leaf->page;
    struct acd_outcome *outcomes = acd_arena_calloc(&leaf->arena, page->count, sizeof(*outcomes));

    for (uint32_t i = 0; i < page->count; i++) {
        const struct acd_account *account;

        if (acd_store_take_account(task->store, &leaf->arena, &account) != ACD_STORE_OK)
            return redis_failed(task);
        outcomes[i].account = page->names[i];
        if (!account->exists || account->created_at_ms != page->created_at_ms[i])
            task->manifest.gone++;
        else if (!acd_command_chooses(&task->command, account))
            task->manifest.left_out++;
        else
            outcomes[i].record = account;
    }
    task->read += page->count;
    if (page->count > 0 && acd_file_stream_add(task->stream, &leaf->arena, outcomes, page->count))
        return task->error[0] ? -1 : fail(task, "the file could not be made for want of memory");
    acd_metric_add(ACD_METRIC_EXPORTED_ACCOUNTS, acd_export_count(outcomes, page->count));
    if (acd_clock_ms() - task->chunk_at_ms >= CHUNK_EVERY_MS && acd_file_stream_flush(task->stream))
        return task->error[0] ? -1 : fail(task, "the file could not be made for want of memory");
    return 0;
}

/* Looks at a page that is in the file. */
static void fit_page(struct acd_task *task, const struct leaf *leaf)
{
    int64_t *limit = &task->command.list_limit;

    if (leaf->arena.allocated > PAGE_BYTES_LARGE)
        *limit = *limit / 2 > PAGE_ACCOUNTS_MIN ? *limit / 2 : PAGE_ACCOUNTS_MIN;
    else if (leaf->arena.allocated < PAGE_BYTES_SMALL)
        *limit = *limit * 2 < PAGE_ACCOUNTS_MAX ? *limit * 2 : PAGE_ACCOUNTS_MAX;
}

static int sweep(struct acd_task *task)
{
    bool more = task->newest.len > 0;

    task->chunk_at_ms = acd_clock_ms();
    if (more)
        acd_store_ask_page(task->store, &leaf_at(task)->arena, &task->command, 0);
    while (more) {
        struct leaf *leaf;

        task->turn++;
        leaf = leaf_at(task);
        acd_arena_reset(&leaf->arena);
        if (atomic_load(&task->cancelled))
            return fail(task, "given up");
        if (take_names(task, leaf, &more))
            return -1;
        if (more)
            acd_store_ask_page(task->store, &leaf->arena, &task->command, leaf->page.behind);
        acd_store_ask_accounts(task->store, &leaf->arena, task->command.app, &leaf->page);
        if (take_accounts(task, leaf_before(task)))
            return -1;
        fit_page(task, leaf_before(task));
    }
    return take_accounts(task, leaf_at(task));
}

static int run_task(struct acd_task *task)
{
    if (open_task(task) || sweep(task))
        return -1;
    if (acd_file_stream_end(task->stream, &task->order_arena, &task->manifest))
        return task->error[0] ? -1 : fail(task, "the file could not be made for want of memory");
    return acd_sender_flush(task->sender) ? fail(task, "Kafka: %s", acd_sender_error(task->sender)) : 0;
}

/* ---- Threads */

static void free_task(struct acd_task *task)
{
    acd_arena_free(&task->leaves[0].arena);
    acd_arena_free(&task->leaves[1].arena);
    acd_arena_free(&task->order_arena);
    free(task);
}

static void close_task(struct acd_task *task)
{
    acd_file_stream_close(task->stream);
    acd_sender_close(task->sender);
    acd_store_close(task->store);
    task->stream = NULL;
    task->sender = NULL;
    task->store = NULL;
}

/* Runs one task with the lock given up meanwhile. */
static void take_task(struct acd_exporter *exporter)
{
    struct acd_task *task = exporter->waiting;
    jmp_buf no_memory;
    volatile int failed = -1;

    exporter->waiting = task->next;
    task->taken = true;
    pthread_mutex_unlock(&exporter->lock);
    acd_metric_add(ACD_METRIC_EXPORTS_RUNNING, 1);
    if (setjmp(no_memory) == 0) {
        task->order_arena.guard = &no_memory;
        task->leaves[0].arena.guard = &no_memory;
        task->leaves[1].arena.guard = &no_memory;
        failed = run_task(task);
    } else {
        fail(task, "no memory");
    }
    task->order_arena.guard = NULL;
    close_task(task);
    acd_metric_add(ACD_METRIC_EXPORTS_RUNNING, -1);
    pthread_mutex_lock(&exporter->lock);
    task->state = failed ? ACD_TASK_FAILED : ACD_TASK_DONE;
    task->taken = false;
    if (task->dropped)
        free_task(task);
}

static void *run(void *context)
{
    struct acd_exporter *exporter = context;

    pthread_setname_np(pthread_self(), "export");
    pthread_mutex_lock(&exporter->lock);
    while (!exporter->ending) {
        if (exporter->waiting) {
            take_task(exporter);
            continue;
        }
        exporter->idle++;
        pthread_cond_wait(&exporter->told, &exporter->lock);
        exporter->idle--;
    }
    pthread_mutex_unlock(&exporter->lock);
    return NULL;
}

/* With the lock held. A thread that cannot be had now is tried for with the next task. */
static void have_thread(struct acd_exporter *exporter)
{
    if (exporter->idle > 0 || exporter->thread_count == (uint32_t)exporter->settings->limits.exports)
        return;
    if (pthread_create(&exporter->threads[exporter->thread_count], NULL, run, exporter) == 0)
        exporter->thread_count++;
    else
        acd_log(ACD_LOG_WARNING, "a thread for exports cannot be had");
}

struct acd_exporter *acd_exporter_new(const struct acd_settings *settings)
{
    struct acd_exporter *exporter = calloc(1, sizeof(*exporter));

    if (!exporter)
        return NULL;
    exporter->threads = calloc((size_t)settings->limits.exports, sizeof(*exporter->threads));
    if (!exporter->threads) {
        free(exporter);
        return NULL;
    }
    exporter->settings = settings;
    pthread_mutex_init(&exporter->lock, NULL);
    pthread_cond_init(&exporter->told, NULL);
    return exporter;
}

void acd_exporter_free(struct acd_exporter *exporter)
{
    if (!exporter)
        return;
    pthread_mutex_lock(&exporter->lock);
    exporter->ending = true;
    pthread_cond_broadcast(&exporter->told);
    pthread_mutex_unlock(&exporter->lock);
    for (uint32_t i = 0; i < exporter->thread_count; i++)
        pthread_join(exporter->threads[i], NULL);
    pthread_cond_destroy(&exporter->told);
    pthread_mutex_destroy(&exporter->lock);
    free(exporter->threads);
    free(exporter);
}

/* ---- For workers */

/* Returns 0, or -1 without memory. */
static int copy_order(struct acd_task *task, const struct acd_task_order *order)
{
    struct acd_arena *arena = &task->order_arena;
    jmp_buf no_memory;

    if (setjmp(no_memory))
        return -1;
    arena->guard = &no_memory;
    task->command = *order->command;
    task->command.app = acd_arena_copy(arena, order->command->app);
    task->command.list_limit = PAGE_ACCOUNTS_MIN;
    /* The index is by creation: the sweep begins where the time does. No name is before an empty one. */
    task->command.list_from_cursor = order->command->created_after_ms > 0;
    task->command.cursor_created_at_ms = order->command->created_after_ms;
    task->command.cursor_account = acd_slice_str("");
    task->incarnation = acd_arena_copy(arena, order->incarnation);
    task->manifest = (struct acd_manifest){.export_id = acd_arena_copy(arena, order->id),
                                           .source = acd_arena_copy(arena, order->source),
                                           .attempt = order->attempt,
                                           .app = task->command.app,
                                           .format = task->command.format,
                                           .compression = task->command.compression,
                                           .swept = true};
    arena->guard = NULL;
    return 0;
}

struct acd_task *acd_exporter_begin(struct acd_exporter *exporter, const struct acd_task_order *order)
{
    struct acd_task *task = calloc(1, sizeof(*task));
    struct acd_task **last = &exporter->waiting;

    if (!task)
        return NULL;
    task->exporter = exporter;
    task->settings = exporter->settings;
    acd_arena_init(&task->order_arena);
    acd_arena_init(&task->leaves[0].arena);
    acd_arena_init(&task->leaves[1].arena);
    if (copy_order(task, order)) {
        free_task(task);
        return NULL;
    }
    pthread_mutex_lock(&exporter->lock);
    while (*last)
        last = &(*last)->next;
    *last = task;
    have_thread(exporter);
    pthread_cond_signal(&exporter->told);
    pthread_mutex_unlock(&exporter->lock);
    return task;
}

enum acd_task_state acd_task_state(struct acd_task *task)
{
    enum acd_task_state state;

    pthread_mutex_lock(&task->exporter->lock);
    state = task->state;
    pthread_mutex_unlock(&task->exporter->lock);
    return state;
}

const struct acd_manifest *acd_task_manifest(const struct acd_task *task)
{
    return &task->manifest;
}

const char *acd_task_error(const struct acd_task *task)
{
    return task->error;
}

void acd_task_drop(struct acd_task *task)
{
    struct acd_exporter *exporter = task ? task->exporter : NULL;

    if (!task)
        return;
    atomic_store(&task->cancelled, true);
    pthread_mutex_lock(&exporter->lock);
    task->dropped = true;
    for (struct acd_task **at = &exporter->waiting; *at; at = &(*at)->next)
        if (*at == task) {
            *at = task->next;
            break;
        }
    if (!task->taken)
        free_task(task);
    pthread_mutex_unlock(&exporter->lock);
}
