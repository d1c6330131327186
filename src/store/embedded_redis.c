/* A private redis-server as a child process. */
#include "accountd/embedded_redis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accountd/clock.h"

#define START_DEADLINE_MS 10000
#define STOP_DEADLINE_MS  5000
#define POLL_MS           10
/* Another process may take the free port before the server does. */
#define PORT_ATTEMPTS  5
#define EXIT_NO_SERVER 127

struct acd_embedded_redis {
    pid_t pid; /* 0: not running */
    int port;
    char directory[PATH_MAX];
    char log[PATH_MAX + 16];
};

static int find_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = -1;

    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}

/* Between fork and exec, where only async-signal-safe calls are allowed. */
static _Noreturn void become_server(char *const argv[], pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    /* Out of the terminal's group: Ctrl-C ends accountd, which still needs its Redis to end in order. */
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    close_range(3, ~0u, 0);
    execvp("redis-server", argv);
    execvp("valkey-server", argv);
    _exit(EXIT_NO_SERVER);
}

static int spawn(struct acd_embedded_redis *redis)
{
    pid_t parent = getpid();
    char port[16];
    char *argv[] = {"redis-server",
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    port,
                    "--dir",
                    redis->directory,
                    "--logfile",
                    redis->log,
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--daemonize",
                    "no",
                    "--maxmemory-policy",
                    "noeviction",
                    NULL};

    redis->port = find_free_port();
    snprintf(port, sizeof(port), "%d", redis->port);
    redis->pid = fork();
    if (redis->pid == 0)
        become_server(argv, parent);
    if (redis->pid < 0) {
        redis->pid = 0;
        return -1;
    }
    return 0;
}

/* True when the server on the port answers and is our child, not another that took the port. */
static bool answers(const struct acd_embedded_redis *redis)
{
    struct timeval timeout = {.tv_sec = 1};
    redisContext *context = redisConnectWithTimeout("127.0.0.1", redis->port, timeout);
    redisReply *reply = NULL;
    char expected[32];
    bool ours = false;

    if (context && !context->err) {
        redisSetTimeout(context, timeout);
        reply = redisCommand(context, "INFO server");
    }
    snprintf(expected, sizeof(expected), "process_id:%d\r", (int)redis->pid);
    if (reply && reply->type == REDIS_REPLY_STRING)
        ours = strstr(reply->str, expected) != NULL;
    if (reply)
        freeReplyObject(reply);
    if (context)
        redisFree(context);
    return ours;
}

/* True when the child has ended; it is gone then. */
static bool ended(struct acd_embedded_redis *redis, int *status)
{
    if (waitpid(redis->pid, status, WNOHANG) == 0)
        return false;
    redis->pid = 0;
    return true;
}

static void end_server(struct acd_embedded_redis *redis)
{
    int64_t deadline = acd_clock_ms() + STOP_DEADLINE_MS;
    int status;

    if (!redis->pid)
        return;
    kill(redis->pid, SIGTERM);
    while (!ended(redis, &status)) {
        if (acd_clock_ms() > deadline)
            kill(redis->pid, SIGKILL);
        acd_clock_sleep_ms(POLL_MS);
    }
}

/* The last line of the server's log says why it ended. */
static void explain(const struct acd_embedded_redis *redis, int status, char *error, size_t error_bytes)
{
    char line[512] = "";
    FILE *log = fopen(redis->log, "re");

    while (log && fgets(line, sizeof(line), log))
        line[strcspn(line, "\n")] = '\0';
    if (log)
        fclose(log);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_SERVER)
        snprintf(error, error_bytes, "redis-server is not installed, or not in PATH");
    else
        snprintf(error, error_bytes, "redis-server ended: %s", line);
}

static int await_answer(struct acd_embedded_redis *redis, char *error, size_t error_bytes)
{
    int64_t deadline = acd_clock_ms() + START_DEADLINE_MS;
    int status;

    while (!answers(redis)) {
        if (ended(redis, &status)) {
            explain(redis, status, error, error_bytes);
            return -1;
        }
        if (acd_clock_ms() > deadline) {
            snprintf(error, error_bytes, "redis-server does not answer on port %d", redis->port);
            return -1;
        }
        acd_clock_sleep_ms(POLL_MS);
    }
    return 0;
}

static int make_directory(struct acd_embedded_redis *redis)
{
    const char *temporary = getenv("TMPDIR");
    int len = snprintf(redis->directory, sizeof(redis->directory), "%s/accountd-redis-XXXXXX",
                       temporary && temporary[0] ? temporary : "/tmp");

    if (len >= (int)sizeof(redis->directory) || !mkdtemp(redis->directory)) {
        redis->directory[0] = '\0';
        return -1;
    }
    snprintf(redis->log, sizeof(redis->log), "%s/log", redis->directory);
    return 0;
}

static void remove_directory(struct acd_embedded_redis *redis)
{
    if (!redis->directory[0])
        return;
    unlink(redis->log);
    rmdir(redis->directory);
    redis->directory[0] = '\0';
}

struct acd_embedded_redis *acd_embedded_redis_start(char *error, size_t error_bytes)
{
    struct acd_embedded_redis *redis = calloc(1, sizeof(*redis));
    int result = -1;

    if (!redis || make_directory(redis)) {
        snprintf(error, error_bytes, "no directory for redis-server: %s", strerror(errno));
        free(redis);
        return NULL;
    }
    for (int i = 0; result && i < PORT_ATTEMPTS; i++) {
        if (spawn(redis)) {
            snprintf(error, error_bytes, "redis-server cannot be started: %s", strerror(errno));
            break;
        }
        result = await_answer(redis, error, error_bytes);
        if (result)
            end_server(redis);
    }
    /* A server that answers needs its directory no more, and a parent that is killed could not remove it. */
    remove_directory(redis);
    if (result) {
        free(redis);
        return NULL;
    }
    return redis;
}

int acd_embedded_redis_port(const struct acd_embedded_redis *redis)
{
    return redis->port;
}

void acd_embedded_redis_stop(struct acd_embedded_redis *redis)
{
    if (!redis)
        return;
    end_server(redis);
    free(redis);
}
