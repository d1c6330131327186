/* commands.h: the commands of the benchmarks. The n-th command of a mix is always the same one, so that JSON
 * and MessagePack, one round and the next, say the same. */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_COMMAND_MAX 32768
#define BENCH_KEY_MAX     32
#define BENCH_BLOCK       100 /* accounts of one command of the mix "batch" */

struct bench_mix {
    bool create; /* else: edits of accounts that are there */
    bool blocks; /* BENCH_BLOCK accounts a command */
    bool msgpack;
    uint32_t accounts;  /* that edits choose from */
    double *cumulative; /* zipf: what the accounts up to each one get of all commands; else NULL */
};

/* Mixes are create, edit, zipf and batch; formats json and msgpack. -1: there is no such one. */
int bench_mix_init(struct bench_mix *mix, const char *name, const char *format, uint32_t accounts);

/* Writes the n-th command and its key; returns the command's length. */
size_t bench_command(const struct bench_mix *mix, uint64_t n, char out[BENCH_COMMAND_MAX],
                     char key[BENCH_KEY_MAX]);

/* The account as a create of it would have left it, as commands for redis-cli --pipe; returns the length. */
size_t bench_account_resp(uint32_t account, char out[BENCH_COMMAND_MAX]);

#endif
