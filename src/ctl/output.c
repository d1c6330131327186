/* A temporary file, and what removes it when somebody presses Ctrl-C. */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".XXXXXX"

/* Set while the file exists; read by the signal handler. */
static char temporary[PATH_MAX];
static volatile sig_atomic_t exists;

static const char *volatile last_words;

static void end_by_signal(int number)
{
    const char *words = last_words;

    if (exists)
        (void)unlink(temporary);
    if (words)
        (void)!write(STDERR_FILENO, words, strlen(words));
    /* The handler is gone by SA_RESETHAND: this ends the process as if it had never been. */
    (void)raise(number);
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = end_by_signal, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}

void acd_ctl_output_last_words(const char *text)
{
    last_words = text;
    if (text)
        watch_signals();
}

int acd_ctl_output_open(struct acd_ctl_output *out, const char *name)
{
    struct stat there;
    mode_t mask;
    int fd;

    *out = (struct acd_ctl_output){name, stdout};
    if (!name)
        return 0;
    if (stat(name, &there) == 0 && !S_ISREG(there.st_mode)) {
        /* A device or a pipe is written to, not replaced. */
        *out = (struct acd_ctl_output){NULL, fopen(name, "wb")};
        return out->file ? 0 : -1;
    }
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s" SUFFIX, name) >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    watch_signals();
    fd = mkstemp(temporary);
    if (fd < 0)
        return -1;
    exists = 1;
    /* mkstemp keeps the file to its owner; a file of one's own making follows the umask instead. */
    mask = umask(0);
    (void)umask(mask);
    (void)fchmod(fd, 0666 & ~mask);
    out->file = fdopen(fd, "wb");
    if (out->file)
        return 0;
    (void)close(fd);
    acd_ctl_output_discard(out);
    return -1;
}

int acd_ctl_output_write(struct acd_ctl_output *output, struct acd_slice bytes)
{
    return fwrite(bytes.data, 1, bytes.len, output->file) == bytes.len ? 0 : -1;
}

int acd_ctl_output_restart(struct acd_ctl_output *output)
{
    if (!output->name) {
        errno = ESPIPE;
        return -1;
    }
    rewind(output->file);
    return ftruncate(fileno(output->file), 0);
}

int acd_ctl_output_keep(struct acd_ctl_output *output)
{
    int failed = fflush(output->file);
    int error;

    if (!output->name)
        return failed ? -1 : 0;
    failed = fsync(fileno(output->file)) || failed;
    failed = fclose(output->file) || failed;
    output->file = NULL;
    failed = failed || rename(temporary, output->name);
    if (!failed) {
        exists = 0;
        return 0;
    }
    error = errno;
    acd_ctl_output_discard(output);
    errno = error;
    return -1;
}

void acd_ctl_output_discard(struct acd_ctl_output *output)
{
    if (!output->name || !exists)
        return;
    if (output->file)
        (void)fclose(output->file);
    output->file = NULL;
    (void)unlink(temporary);
    exists = 0;
}
