/* run.h: one run: a seed from its beginning to the verdict. */
#ifndef ACCOUNTD_SIM_RUN_H
#define ACCOUNTD_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

/* Runs the seed in this process, which can do so once. NULL when all is well, else what is wrong. */
const char *run_seed(uint64_t seed, uint64_t faults, const struct world *world, bool trace);

#endif
