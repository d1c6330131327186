/* Faults made on purpose, one for each kind that the sanitizers are to find: run.sh sees first that they do,
 * with its options. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int counter;

static void *count(void *context)
{
    for (int i = 0; i < 100000; i++)
        counter++;
    return NULL;
}

static void race(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, count, NULL))
        return;
    count(NULL);
    pthread_join(thread, NULL);
}

/* What is written to is volatile, so that no compiler sees the fault and takes it out. */
static char *volatile block;

static void overflow(void)
{
    volatile size_t beyond = 8;

    block = malloc(beyond);
    if (block)
        block[beyond] = 'x';
    free(block);
}

static void leak(void)
{
    block = malloc(8);
    block = NULL;
}

static void undefined(void)
{
    volatile int largest = INT_MAX;

    largest = largest + 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*commit)(void);
    } faults[] = {{"race", race}, {"overflow", overflow}, {"leak", leak}, {"undefined", undefined}};

    for (size_t i = 0; argc > 1 && i < sizeof(faults) / sizeof(faults[0]); i++)
        if (strcmp(argv[1], faults[i].name) == 0)
            faults[i].commit();
    return 0;
}
