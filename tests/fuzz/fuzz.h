/* fuzz.h: what the fuzz targets share.
 *
 * A target is one file, fuzz_NAME.c, with a function LLVMFuzzerTestOneInput that must survive any bytes and
 * stops the process (FUZZ_CHECK) where the code says something that is not so. The arena is replaced by one
 * that takes every allocation from malloc, so that AddressSanitizer sees each one's end.
 */
#ifndef ACCOUNTD_FUZZ_H
#define ACCOUNTD_FUZZ_H

#include <stdint.h>

#include "accountd/account.h"
#include "accountd/arena.h"
#include "accountd/buffer.h"
#include "accountd/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops with the reason when the condition does not hold. */
#define FUZZ_CHECK(condition, ...)                                                                           \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fuzz_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                          \
    } while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What is left of an input. Past its end everything is zero or empty. */
struct fuzz_input {
    const uint8_t *at;
    size_t left; /* bytes */
};

uint8_t fuzz_byte(struct fuzz_input *input);
int64_t fuzz_number(struct fuzz_input *input);                 /* 8 bytes, little-endian */
uint32_t fuzz_below(struct fuzz_input *input, uint32_t count); /* one byte: 0 to count - 1 */

/* Slices are copies of exactly their length. A slice has a byte with its length before it (ff: two more
 * bytes with it follow); the rest has none. */
struct acd_slice fuzz_slice(struct fuzz_input *input, struct acd_arena *arena);
struct acd_slice fuzz_rest(struct fuzz_input *input, struct acd_arena *arena);
struct acd_slice fuzz_exact(struct acd_arena *arena, struct acd_slice slice);

/* The arena's allocation after this many fails, as if there were no memory; 0: none does. */
extern size_t fuzz_fail_after;

/* ---- values.c: values as bytes by encoders of their own, which know nothing of accountd's. `form` picks
 * among the ways in which a value can be written. */

/* False when the tree holds what JSON cannot say: bin or ext. */
bool fuzz_write_json(struct acd_buffer *out, const struct acd_value *value, unsigned form);
void fuzz_write_msgpack(struct acd_buffer *out, const struct acd_value *value, unsigned form);

/* Equal as the contract sees it: a whole float is an integer, the order of members does not count. */
bool fuzz_same_value(const struct acd_value *a, const struct acd_value *b);

/* Revision and times too. */
bool fuzz_same_account(const struct acd_account *a, const struct acd_account *b);

#endif
