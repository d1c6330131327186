/* The simulation: seeds, each in a process of its own, so that one that dies is told from the others. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aim.h"
#include "run.h"

/* Real time that a seed may take; most take a hundredth of a second. */
#define SEED_SECONDS 60

#define JOBS_MAX     64

struct options {
    uint64_t from;
    uint64_t count;
    uint32_t jobs;
    uint64_t faults;
    struct world world;
    bool trace;
    bool keep_going;
    char again[1024]; /* what makes a run the same besides the seed, for a shell */
};

/* What the jobs share. */
struct shared {
    volatile uint64_t next;
    volatile uint64_t done;
    volatile uint64_t failed;
};

static const char usage[] = "usage: sim --seed N [--trace]            one seed\n"
                            "       sim --seeds FROM COUNT            seeds FROM, FROM+1, ...; or FROM-LAST\n"
                            "           [--jobs N]                    so many at a time\n"
                            "           [--keep-going]                past the first that fails\n"
                            "       [--world NAME=N,...]              instead of what the seed says:\n";
static const char more_usage[] = "       [--aim FAULT:TEXT]...             likely where the trace says so\n"
                                 "       [--faults a,b,...]                only these of the faults:\n";

static int explain(void)
{
    fputs(usage, stderr);
#define X(name, most, text) fprintf(stderr, "         %-12s %s (1-%d)\n", #name, text, most);
    WORLD(X)
#undef X
    fputs(more_usage, stderr);
    for (int i = 0; i < FAULT_COUNT; i++)
        fprintf(stderr, "         %-12s %s\n", fault_name((enum fault)i), fault_text((enum fault)i));
    return 2;
}

static bool read_faults(char *names, uint64_t *out)
{
    *out = 0;
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
        int i = 0;

        while (i < FAULT_COUNT && strcmp(name, fault_name((enum fault)i)) != 0)
            i++;
        if (i == FAULT_COUNT && strcmp(name, "none") != 0)
            return false;
        *out |= i < FAULT_COUNT ? UINT64_C(1) << i : 0;
    }
    return true;
}

static bool read_world(char *wishes, struct world *out)
{
    static const struct {
        const char *name;
        size_t at;
        uint32_t most;
    } rules[] = {
#define X(name, most, text) {#name, offsetof(struct world, name), most},
        WORLD(X)
#undef X
    };
    const size_t count = sizeof(rules) / sizeof(rules[0]);

    for (char *wish = strtok(wishes, ","); wish; wish = strtok(NULL, ",")) {
        char *value = strchr(wish, '=');
        uint32_t number = value ? (uint32_t)strtoul(value + 1, NULL, 10) : 0;
        size_t i = 0;

        while (value && i < count &&
               (strncmp(wish, rules[i].name, (size_t)(value - wish)) != 0 || rules[i].name[value - wish]))
            i++;
        if (!value || i == count || number == 0 || number > rules[i].most)
            return false;
        memcpy((char *)out + rules[i].at, &number, sizeof(number));
    }
    return true;
}

/* FROM COUNT, or FROM-LAST. */
static bool read_seeds(char **argv, int argc, struct options *options)
{
    char *dash = strchr(optarg, '-');

    options->from = strtoull(optarg, NULL, 10);
    if (dash)
        options->count = strtoull(dash + 1, NULL, 10) - options->from + 1;
    else if (optind < argc && argv[optind][0] >= '0' && argv[optind][0] <= '9')
        options->count = strtoull(argv[optind++], NULL, 10);
    return options->count > 0;
}

/* One of the options that decide, besides the seed, what a run is. */
static bool read_choice(int option, struct options *options)
{
    size_t used = strlen(options->again);
    const char *name = option == 'f' ? "faults" : option == 'w' ? "world" : "aim";

    snprintf(options->again + used, sizeof(options->again) - used, " --%s '%s'", name, optarg);
    return option == 'f'   ? read_faults(optarg, &options->faults)
           : option == 'w' ? read_world(optarg, &options->world)
                           : aim_add(optarg);
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"seed", required_argument, NULL, 'n'},
                                          {"seeds", required_argument, NULL, 's'},
                                          {"jobs", required_argument, NULL, 'j'},
                                          {"faults", required_argument, NULL, 'f'},
                                          {"world", required_argument, NULL, 'w'},
                                          {"aim", required_argument, NULL, 'a'},
                                          {"trace", no_argument, NULL, 't'},
                                          {"keep-going", no_argument, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
    int option;

    *options = (struct options){.jobs = 1, .faults = UINT64_MAX};
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'n') {
            options->from = strtoull(optarg, NULL, 10);
            options->count = 1;
        } else if (option == 'j') {
            options->jobs = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (option == 't') {
            options->trace = true;
        } else if (option == 'k') {
            options->keep_going = true;
        } else if (option == 's' ? !read_seeds(argv, argc, options)
                                 : option == '?' || !read_choice(option, options)) {
            return false;
        }
    }
    return optind == argc && options->count > 0 && options->jobs > 0 && options->jobs <= JOBS_MAX;
}

/* ---- One seed */

static void tell(const struct options *options, uint64_t seed, const char *wrong)
{
    printf("seed %llu: %s\n    build/sim --seed %llu --trace%s\n", (unsigned long long)seed, wrong,
           (unsigned long long)seed, options->again);
    fflush(stdout);
}

static int run_here(const struct options *options, uint64_t seed)
{
    const char *wrong;

    alarm(SEED_SECONDS);
    wrong = run_seed(seed, options->faults, &options->world, options->trace);
    if (wrong)
        tell(options, seed, wrong);
    else if (options->trace)
        printf("seed %llu holds\n", (unsigned long long)seed);
    fflush(stdout);
    return wrong != NULL;
}

static bool run_apart(const struct options *options, uint64_t seed)
{
    pid_t child;
    int status;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run_here(options, seed));
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("sim");
        return false;
    }
    if (WIFSIGNALED(status))
        tell(options, seed,
             WTERMSIG(status) == SIGALRM ? "takes too long: something goes round in circles"
                                         : strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- Many */

static void run_job(const struct options *options, struct shared *shared)
{
    uint64_t n;

    while ((n = __atomic_fetch_add(&shared->next, 1, __ATOMIC_SEQ_CST)) < options->count) {
        if (!run_apart(options, options->from + n))
            __atomic_fetch_add(&shared->failed, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&shared->done, 1, __ATOMIC_SEQ_CST);
        if (shared->failed && !options->keep_going)
            break;
    }
}

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    stopped = 1;
}

static int run_many(const struct options *options)
{
    const struct sigaction action = {.sa_handler = stop};
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        return 2;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    for (uint32_t i = 0; i < options->jobs; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            signal(SIGTERM, SIG_DFL);
            signal(SIGINT, SIG_DFL);
            run_job(options, shared);
            _exit(0);
        }
    while (!stopped && (wait(NULL) > 0 || errno == EINTR))
        ;
    printf("%llu of %llu seeds hold%s\n", (unsigned long long)(shared->done - shared->failed),
           (unsigned long long)shared->done, stopped ? "; stopped early" : "");
    return shared->failed > 0 || stopped;
}

int main(int argc, char **argv)
{
    struct options options;

    if (!read_options(argc, argv, &options))
        return explain();
    if (options.count == 1)
        return run_here(&options, options.from);
    return run_many(&options);
}
