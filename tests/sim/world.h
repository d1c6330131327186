/* world.h: what a seed would decide about a run's surroundings, and a person may decide instead: some faults
 * matter only where, say, one worker has several partitions. 0: as the seed has it.
 */
#ifndef ACCOUNTD_SIM_WORLD_H
#define ACCOUNTD_SIM_WORLD_H

#include <stdint.h>

/* X(name, at most, what it is) */
#define WORLD(X)                                                                                             \
    X(processes, 3, "of accountd")                                                                           \
    X(workers, 2, "of each process")                                                                         \
    X(batch, 2000, "records of a partition in one batch, at most")                                           \
    X(commands, 200, "posted in all")                                                                        \
    X(burst, 200, "commands posted in one go, on the average")                                               \
    X(accounts, 6, "that all partitions reach")                                                              \
    X(admins, 100, "percent of the creates that name a type")                                                \
    X(seconds, 60, "in which faults happen and commands are posted")

struct world {
#define X(name, most, text) uint32_t name;
    WORLD(X)
#undef X
};

#endif
