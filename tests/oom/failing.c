/* Memory that runs out when a test wants it to: linked into a build of accountd of its own, with
 * --wrap for the arena's functions.
 *
 * Three kinds of allocations are watched: malloc and its like called from accountd's own code, the same
 * called from hiredis, and what is taken from an arena (which reaches malloc only now and then). The C
 * library's and librdkafka's own are let through: librdkafka ends the process without memory.
 *
 * A test tells by shared memory, in the file that OOM_CONTROL names, what shall fail: the Nth watched
 * allocation from now on, or the first that is called from a place where none has failed yet. The file
 * OOM_PLACES remembers these, for several processes. */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accountd/arena.h"

#define FRAMES     10 /* calls that are noted of one that fails */
#define OWN_FRAMES 6  /* of this file, at most */
#define PLACES     8192
#define RANGE_MAX  4

/* hiredis 0.14 (not 1.x) takes it for granted that there is memory for the empty string its buffers begin
 * with. */
#define EMPTY_BYTES 8

enum kind { OWN = 1, HIREDIS = 2, ARENA = 4 };

/* As test_out_of_memory.py writes and reads it: 64 bit each. */
struct control {
    _Atomic int64_t kinds;   /* what is watched; 0: nothing */
    _Atomic int64_t fail_at; /* number of the first allocation that fails; 0: one from a new place */
    _Atomic int64_t burst;   /* how many fail in a row from there */
    _Atomic int64_t depth;   /* how many of the innermost calls tell one place from another */
    _Atomic int64_t count;   /* of watched allocations since the test wrote 0 here */
    _Atomic int64_t failed;  /* of them */
    _Atomic int64_t kind; /* of the last that failed, and where it was called, as addresses in the program */
    _Atomic int64_t frames[FRAMES];
};

struct range {
    uintptr_t begin;
    uintptr_t end;
    enum kind kind;
};

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static struct range ranges[RANGE_MAX];
static size_t range_count;
static uintptr_t program; /* where it is loaded */
static struct control *control;
static _Atomic uint64_t *places; /* hashes of where allocations have failed */
static _Thread_local bool inside;

static int add_range(struct dl_phdr_info *info, size_t size, void *context)
{
    bool own = info->dlpi_name[0] == '\0';

    if (own)
        program = info->dlpi_addr;
    if (!own && !strstr(info->dlpi_name, "libhiredis"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && range_count < RANGE_MAX; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + part->p_vaddr;

        if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
            ranges[range_count++] = (struct range){begin, begin + part->p_memsz, own ? OWN : HIREDIS};
    }
    return 0;
}

/* The file that the variable names, in memory, or NULL. */
static void *map_file(const char *variable, size_t bytes)
{
    const char *file = getenv(variable);
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

__attribute__((constructor)) static void set_up(void)
{
    void *frames[FRAMES];

    dl_iterate_phdr(add_range, NULL);
    /* Its first call allocates. */
    backtrace(frames, FRAMES);
    places = map_file("OOM_PLACES", PLACES * sizeof(*places));
    control = map_file("OOM_CONTROL", sizeof(*control));
}

static enum kind kind_of(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;

    for (size_t i = 0; i < range_count; i++)
        if (at >= ranges[i].begin && at < ranges[i].end)
            return ranges[i].kind;
    return 0;
}

/* True when the place is new; it is not from then on. */
static bool remember_place(void *const *frames, int count)
{
    int depth = (int)atomic_load(&control->depth);
    uint64_t hash = 14695981039346656037u;

    for (int i = 0; i < count && i < depth; i++)
        hash = (hash ^ ((uintptr_t)frames[i] - program)) * 1099511628211u;
    hash |= 1;
    for (size_t i = 0; i < PLACES; i++) {
        _Atomic uint64_t *place = &places[(hash + i) % PLACES];
        uint64_t none = 0;

        if (atomic_load(place) == hash)
            return false;
        if (atomic_compare_exchange_strong(place, &none, hash))
            return true;
        if (none == hash)
            return false;
    }
    return false;
}

/* The calls that led to the allocation, from its caller outwards. */
static int take_frames(const void *caller, void *frames[FRAMES])
{
    void *all[FRAMES + OWN_FRAMES];
    int count = backtrace(all, FRAMES + OWN_FRAMES);
    int first = 0;

    while (first < count && all[first] != caller)
        first++;
    count = count - first < FRAMES ? count - first : FRAMES;
    memcpy(frames, all + first, (size_t)count * sizeof(*frames));
    return count;
}

static bool choose(enum kind kind, const void *caller)
{
    int64_t number = atomic_fetch_add(&control->count, 1) + 1;
    int64_t first = atomic_load(&control->fail_at);
    int64_t before;
    void *frames[FRAMES] = {NULL};
    int count;

    if (first ? number < first || number >= first + atomic_load(&control->burst)
              : atomic_load(&control->failed) > 0)
        return false;
    count = take_frames(caller, frames);
    if (!first && !remember_place(frames, count))
        return false;
    before = atomic_fetch_add(&control->failed, 1);
    if (before == 0)
        atomic_store(&control->kind, kind);
    for (int i = 0; i < FRAMES && before == 0; i++)
        atomic_store(&control->frames[i], frames[i] ? (int64_t)((uintptr_t)frames[i] - program) : 0);
    return true;
}

static bool fails(enum kind kind, const void *caller)
{
    bool result;

    if (!control || !places || inside || !kind || !(atomic_load(&control->kinds) & kind))
        return false;
    inside = true;
    result = choose(kind, caller);
    inside = false;
    return result;
}

/* ---- malloc and its like, in place of the C library's */

#define MALLOC_FAILS fails(kind_of(__builtin_return_address(0)), __builtin_return_address(0))

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    return size > EMPTY_BYTES && MALLOC_FAILS ? no_memory() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return count * size > EMPTY_BYTES && MALLOC_FAILS ? no_memory() : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return MALLOC_FAILS ? no_memory() : __libc_realloc(memory, size);
}

char *strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = MALLOC_FAILS ? no_memory() : __libc_malloc(bytes);

    return copy ? memcpy(copy, text, bytes) : NULL;
}

/* ---- Connecting: hiredis 0.14 (not 1.x) does not look whether it has memory then */

redisContext *__real_redisConnectWithTimeout(const char *host, int port, const struct timeval timeout);

redisContext *__wrap_redisConnectWithTimeout(const char *host, int port, const struct timeval timeout)
{
    redisContext *context;

    inside = true;
    context = __real_redisConnectWithTimeout(host, port, timeout);
    inside = false;
    return context;
}

/* ---- The arena: a size that no arena has stands for the end of memory */

void *__real_acd_arena_alloc(struct acd_arena *arena, size_t size);
void *__real_acd_arena_calloc(struct acd_arena *arena, size_t count, size_t size);
struct acd_slice __real_acd_arena_copy(struct acd_arena *arena, struct acd_slice slice);
struct acd_slice __real_acd_arena_vformat(struct acd_arena *arena, const char *format, va_list args);

#define ARENA_FAILS fails(ARENA, __builtin_return_address(0))

void *__wrap_acd_arena_alloc(struct acd_arena *arena, size_t size)
{
    return __real_acd_arena_alloc(arena, ARENA_FAILS ? SIZE_MAX : size);
}

void *__wrap_acd_arena_calloc(struct acd_arena *arena, size_t count, size_t size)
{
    return __real_acd_arena_calloc(arena, ARENA_FAILS ? SIZE_MAX : count, size);
}

struct acd_slice __wrap_acd_arena_copy(struct acd_arena *arena, struct acd_slice slice)
{
    if (ARENA_FAILS)
        __real_acd_arena_alloc(arena, SIZE_MAX);
    return __real_acd_arena_copy(arena, slice);
}

struct acd_slice __wrap_acd_arena_vformat(struct acd_arena *arena, const char *format, va_list args)
{
    if (ARENA_FAILS)
        __real_acd_arena_alloc(arena, SIZE_MAX);
    return __real_acd_arena_vformat(arena, format, args);
}

struct acd_slice __wrap_acd_arena_format(struct acd_arena *arena, const char *format, ...)
{
    struct acd_slice text;
    va_list args;

    if (ARENA_FAILS)
        __real_acd_arena_alloc(arena, SIZE_MAX);
    va_start(args, format);
    text = __real_acd_arena_vformat(arena, format, args);
    va_end(args);
    return text;
}
