/* Inputs and failures. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);

/* A library that asks for a hundred gigabytes is told that there is no memory, as a system would. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:detect_stack_use_after_return=1:malloc_context_size=8";
}

/* libconfig forgets a string that stands where none may. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: not so: %s\n  ", file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    putc('\n', stderr);
    abort();
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

int64_t fuzz_number(struct fuzz_input *input)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64; shift += 8)
        number |= (uint64_t)fuzz_byte(input) << shift;
    return (int64_t)number;
}

uint32_t fuzz_below(struct fuzz_input *input, uint32_t count)
{
    return fuzz_byte(input) % count;
}

struct acd_slice fuzz_exact(struct acd_arena *arena, struct acd_slice slice)
{
    char *copy = acd_arena_alloc(arena, slice.len);

    if (slice.len)
        memcpy(copy, slice.data, slice.len);
    return acd_slice(copy, slice.len);
}

static struct acd_slice take(struct fuzz_input *input, struct acd_arena *arena, size_t len)
{
    struct acd_slice slice = acd_slice(input->at, len < input->left ? len : input->left);

    input->at += slice.len;
    input->left -= slice.len;
    return fuzz_exact(arena, slice);
}

struct acd_slice fuzz_slice(struct fuzz_input *input, struct acd_arena *arena)
{
    size_t len = fuzz_byte(input);

    if (len == 0xff) {
        len = fuzz_byte(input);
        len |= (size_t)fuzz_byte(input) << 8;
    }
    return take(input, arena, len);
}

struct acd_slice fuzz_rest(struct fuzz_input *input, struct acd_arena *arena)
{
    return take(input, arena, input->left);
}

bool fuzz_same_account(const struct acd_account *a, const struct acd_account *b)
{
    return acd_account_same(a, b) && a->revision == b->revision && a->created_at_ms == b->created_at_ms &&
           a->updated_at_ms == b->updated_at_ms;
}
