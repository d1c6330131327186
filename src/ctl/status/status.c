/* Threads ask, so that a daemon that hangs delays nobody else, and a key is heard while Kafka is away. */
#include "status.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "../terminal.h"
#include "accountd/clock.h"
#include "survey.h"

/* How long a daemon has for its pages: longer than it ever takes, and short for who waits. */
#define PAGES_MS 2000

/* Where the window does not say how large it is. */
#define ROWS_DEFAULT 24

/* The other screen, without cursor, and lines that are cut and not wrapped; and back. */
#define SCREEN_OPEN  "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_CLOSE "\033[?7h\033[?25h\033[?1049l"

struct status {
    struct acd_ctl_survey survey;
    int timeout_ms;
    int interval_ms;
    int done[2]; /* a pipe: a byte for each survey that is complete */
};

static volatile sig_atomic_t ended;

static void end(int number)
{
    ended = 1;
}

static enum acd_ctl_exit read_peers(struct acd_ctl_survey *survey, const struct acd_ctl_args *args)
{
    for (uint32_t i = 0; i < args->metrics_count; i++) {
        if (i == ACD_CTL_PEERS_MAX) {
            acd_ctl_error("--metrics: more than %d daemons are too many for one screen", ACD_CTL_PEERS_MAX);
            return ACD_CTL_USAGE;
        }
        if (acd_ctl_peer_open(&survey->peers[survey->peer_count++], args->metrics[i])) {
            acd_ctl_error("--metrics %s: http://HOST:PORT is expected", args->metrics[i]);
            return ACD_CTL_USAGE;
        }
    }
    return ACD_CTL_OK;
}

static void free_peers(struct acd_ctl_survey *survey)
{
    for (size_t i = 0; i < survey->peer_count; i++)
        free(survey->peers[i].address);
}

enum acd_ctl_exit acd_ctl_status_check(const struct acd_ctl_args *args)
{
    struct acd_ctl_survey *survey = calloc(1, sizeof(*survey));
    enum acd_ctl_exit result = ACD_CTL_USAGE;

    if (!survey)
        return ACD_CTL_FAILED;
    if (args->account_count)
        acd_ctl_error("status takes no accounts; see accountctl help status");
    else
        result = read_peers(survey, args);
    free_peers(survey);
    free(survey);
    return result;
}

static void *ask_peer(void *context)
{
    acd_ctl_peer_ask(context, acd_clock_ms() + PAGES_MS);
    return NULL;
}

/* Asks the daemons at once, and Kafka meanwhile, where that is wanted. */
static void ask(struct status *status, bool kafka)
{
    struct acd_ctl_survey *survey = &status->survey;
    pthread_t threads[ACD_CTL_PEERS_MAX];
    bool started[ACD_CTL_PEERS_MAX];

    for (size_t i = 0; i < survey->peer_count; i++)
        started[i] = pthread_create(&threads[i], NULL, ask_peer, &survey->peers[i]) == 0;
    if (kafka)
        acd_ctl_cluster_ask(&survey->cluster, acd_clock_ms() + status->timeout_ms);
    for (size_t i = 0; i < survey->peer_count; i++) {
        if (started[i])
            (void)pthread_join(threads[i], NULL);
        else
            (void)ask_peer(&survey->peers[i]);
    }
    survey->at_ms = acd_clock_wall_ms();
}

static void *survey_all(void *context)
{
    struct status *status = context;

    ask(status, true);
    (void)!write(status->done[1], "", 1);
    return NULL;
}

static bool is_key_to_end(void)
{
    char key;

    return read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q');
}

/* Waits until a survey is complete or the time is over (-1: as long as it takes); false when it is the end.
 */
static bool wait_for(struct status *status, bool keys, bool survey, int64_t deadline_ms)
{
    struct pollfd what[] = {{survey ? status->done[0] : -1, POLLIN, 0},
                            {keys ? STDIN_FILENO : -1, POLLIN, 0}};

    while (!ended) {
        int64_t left = deadline_ms < 0 ? 1000 : deadline_ms - acd_clock_ms();
        int ready = poll(what, 2, left > 0 ? (int)left : 0);
        char byte;

        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && what[1].revents && is_key_to_end())
            return false;
        if (ready > 0 && (what[1].revents & (POLLHUP | POLLERR)))
            return false;
        if (ready > 0 && what[0].revents)
            return read(status->done[0], &byte, 1) == 1;
        if (deadline_ms >= 0 && acd_clock_ms() >= deadline_ms)
            return true;
    }
    return false;
}

/* Writes as many lines as the window has, over those that are there. */
static void draw(const struct acd_ctl_survey *survey)
{
    struct winsize window = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *lines = open_memstream(&text, &len);
    size_t rows = ROWS_DEFAULT;
    const char *at;

    if (!lines)
        return;
    acd_ctl_survey_print(lines, survey, acd_ctl_colour(stdout));
    if (fclose(lines)) {
        free(text);
        return;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 1)
        rows = window.ws_row;
    (void)fputs("\033[H", stdout);
    at = text;
    for (size_t row = 1; *at && row < rows; row++) {
        size_t length = strcspn(at, "\n");

        (void)fwrite(at, 1, length, stdout);
        (void)fputs("\033[K\r\n", stdout);
        at += length + (at[length] == '\n');
    }
    (void)fputs(*at ? "\033[K… q ends; a larger window shows more\033[J" : "\033[Kq ends\033[J", stdout);
    (void)fflush(stdout);
    free(text);
}

static enum acd_ctl_exit watch(struct status *status, bool keys)
{
    pthread_t thread;

    while (!ended) {
        int64_t next_ms = acd_clock_ms() + status->interval_ms;

        if (pthread_create(&thread, NULL, survey_all, status)) {
            acd_ctl_error("out of memory");
            return ACD_CTL_FAILED;
        }
        /* The thread is left behind: it works on what lasts as long as the program. */
        if (!wait_for(status, keys, true, -1)) {
            (void)pthread_detach(thread);
            return ACD_CTL_OK;
        }
        (void)pthread_join(thread, NULL);
        draw(&status->survey);
        if (!wait_for(status, keys, false, next_ms))
            return ACD_CTL_OK;
    }
    return ACD_CTL_OK;
}

/* Signals are the main thread's, whose waiting they end. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = end};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}

static enum acd_ctl_exit run_live(struct status *status)
{
    struct termios before;
    struct termios quiet;
    bool keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    enum acd_ctl_exit result;

    if (pipe(status->done)) {
        acd_ctl_error("%s", strerror(errno));
        return ACD_CTL_FAILED;
    }
    catch_signals();
    if (keys) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    (void)fputs(SCREEN_OPEN "asking…", stdout);
    (void)fflush(stdout);
    result = watch(status, keys);
    (void)fputs(SCREEN_CLOSE, stdout);
    (void)fflush(stdout);
    if (keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return result;
}

/* Rates need two scrapes. */
static enum acd_ctl_exit run_once(struct status *status, bool json)
{
    if (status->survey.peer_count) {
        int64_t next_ms = acd_clock_ms() + status->interval_ms;

        ask(status, false);
        acd_clock_sleep_ms(next_ms > acd_clock_ms() ? next_ms - acd_clock_ms() : 0);
    }
    ask(status, true);
    if (!json)
        acd_ctl_survey_print(stdout, &status->survey, acd_ctl_colour(stdout));
    else if (acd_ctl_survey_json(stdout, &status->survey)) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    return acd_ctl_survey_verdict(&status->survey);
}

enum acd_ctl_exit acd_ctl_status_run(const struct acd_settings *settings, const struct acd_ctl_args *args)
{
    /* Not freed: a thread may still be at it when the program ends. */
    static struct status status;
    const char *terminal = getenv("TERM");
    bool live =
        !args->once && !args->json && isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    enum acd_ctl_exit result;

    status.timeout_ms = args->timeout_ms;
    status.interval_ms = args->interval_ms;
    result = read_peers(&status.survey, args);
    if (result == ACD_CTL_OK)
        result = acd_ctl_cluster_open(&status.survey.cluster, settings, args);
    if (result != ACD_CTL_OK)
        return result;
    return live ? run_live(&status) : run_once(&status, args->json);
}
