/* mix.h: how often accountctl bench posts which operation. Pure. */
#ifndef ACCOUNTD_CTL_BENCH_MIX_H
#define ACCOUNTD_CTL_BENCH_MIX_H

#include <stdbool.h>
#include <stdint.h>

/* X(identifier, name): the operations that a load is made of. */
#define ACD_CTL_MIX_OPS(X)                                                                                   \
    X(CREATE, "create")                                                                                      \
    X(EDIT, "edit")                                                                                          \
    X(GET, "get")                                                                                            \
    X(DELETE, "delete")

enum acd_ctl_mix_op {
#define X(id, name) ACD_CTL_MIX_##id,
    ACD_CTL_MIX_OPS(X)
#undef X
        ACD_CTL_MIX_COUNT
};

extern const char *const acd_ctl_mix_names[ACD_CTL_MIX_COUNT];

/* The largest weight. */
#define ACD_CTL_MIX_WEIGHT_MAX 1000000

struct acd_ctl_mix {
    int64_t weights[ACD_CTL_MIX_COUNT];
};

/* Reads OP=WEIGHT,... with whole weights from 0, each operation once and one of them above 0; NULL gives what
 * is usual. */
bool acd_ctl_mix_read(const char *text, struct acd_ctl_mix *out) __attribute__((warn_unused_result));

/* The operation that a random number stands for: by weight, over all numbers. */
enum acd_ctl_mix_op acd_ctl_mix_choose(const struct acd_ctl_mix *mix, uint64_t random);

#endif
