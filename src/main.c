/* accountd: the command line, the settings, and then the daemon. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/daemon.h"
#include "accountd/embedded.h"
#include "accountd/embedded_redis.h"
#include "accountd/log.h"
#include "accountd/settings.h"

static const char usage[] = "Usage: accountd [-c FILE] [--check-config [--connect] | --print-config |\n"
                            "                          --create-topics | --embedded]\n"
                            "Applies account commands from Kafka to Redis: each once, each with one reply.\n"
                            "\n"
                            "  -c, --config FILE   the settings; without it every setting has its default\n"
                            "      --check-config  check the settings and end\n"
                            "      --connect       … and what they are about: Kafka, the topics, Redis\n"
                            "      --create-topics make the topics that are missing and end\n"
                            "      --print-config  print all settings and end\n"
                            "      --embedded      for development: bring a Kafka and a Redis of its own\n"
                            "      --version       print the version and end\n"
                            "  -h, --help          print this and end\n";

enum action { SERVE, CHECK_CONFIG, PRINT_CONFIG, CREATE_TOPICS, EMBEDDED };

struct options {
    const char *config; /* NULL: defaults */
    enum action action;
    bool connect; /* --check-config looks at the servers, too */
};

static void fatal(int code, const char *message)
{
    fprintf(stderr, "accountd: %s\n", message);
    exit(code);
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"check-config", no_argument, NULL, CHECK_CONFIG},
                                          {"connect", no_argument, NULL, 'C'},
                                          {"print-config", no_argument, NULL, PRINT_CONFIG},
                                          {"create-topics", no_argument, NULL, CREATE_TOPICS},
                                          {"embedded", no_argument, NULL, EMBEDDED},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.action = SERVE};
    int option;

    while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            options.config = optarg;
            break;
        case CHECK_CONFIG:
        case PRINT_CONFIG:
        case CREATE_TOPICS:
        case EMBEDDED:
            options.action = (enum action)option;
            break;
        case 'C':
            options.connect = true;
            break;
        case 'v':
            puts("accountd " ACD_VERSION);
            exit(ACD_EXIT_OK);
        case 'h':
            fputs(usage, stdout);
            exit(ACD_EXIT_OK);
        default:
            fputs(usage, stderr);
            exit(ACD_EXIT_USAGE);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "accountd: unexpected argument '%s'\n", argv[optind]);
        fputs(usage, stderr);
        exit(ACD_EXIT_USAGE);
    }
    if (options.connect && options.action != CHECK_CONFIG) {
        fputs("accountd: --connect belongs to --check-config\n", stderr);
        exit(ACD_EXIT_USAGE);
    }
    return options;
}

static void read_settings(struct acd_settings *settings, const char *file)
{
    if (acd_settings_default(settings))
        fatal(ACD_EXIT_FAILED, "no memory");
    if (acd_settings_read(settings, file, environ, stderr)) {
        acd_settings_free(settings);
        exit(ACD_EXIT_CONFIG);
    }
}

/* Systemd's credentials are there only where systemd started accountd, so a mere check does without secrets.
 */
static void check_settings(struct acd_settings *settings, const struct options *options)
{
    bool secrets = options->action != CHECK_CONFIG || options->connect;
    bool keys = secrets && options->action != CREATE_TOPICS;

    if (acd_daemon_check_settings(settings, secrets, stderr) == 0 &&
        (!keys || acd_daemon_check_keys(settings, stderr) == 0))
        return;
    acd_settings_free(settings);
    exit(ACD_EXIT_CONFIG);
}

static void set_up_log(const struct acd_settings *settings)
{
    enum acd_log_level level = ACD_LOG_INFO;
    enum acd_log_format format = ACD_LOG_TEXT;

    /* Both were checked with the settings. */
    acd_log_level_parse(settings->log.level, &level);
    acd_log_format_parse(settings->log.format, &format);
    acd_log_setup(level, format);
}

static void replace(char **setting, const char *value)
{
    free(*setting);
    *setting = strdup(value);
    if (!*setting)
        fatal(ACD_EXIT_FAILED, "no memory");
}

static int serve_embedded(struct acd_settings *settings)
{
    char error[256] = "";
    struct acd_embedded_redis *redis = acd_embedded_redis_start(error, sizeof(error));
    struct acd_embedded *kafka = redis ? acd_embedded_start(settings, error, sizeof(error)) : NULL;
    int code = ACD_EXIT_FAILED;

    if (kafka) {
        replace(&settings->kafka.brokers, acd_embedded_brokers(kafka));
        replace(&settings->redis.host, "127.0.0.1");
        replace(&settings->redis.socket, "");
        settings->redis.port = acd_embedded_redis_port(redis);
        /* The mock cluster may leave one of two members that join at once without an answer. */
        settings->worker.threads = 1;
        printf("kafka: %s\nredis: %s:%lld\n", settings->kafka.brokers, settings->redis.host,
               (long long)settings->redis.port);
        printf("topics: %s %s %s %s %s\n", settings->kafka.commands, settings->kafka.replies,
               settings->kafka.exports, settings->kafka.changelog, settings->kafka.dead_letters);
        fflush(stdout);
        code = acd_daemon_run(settings, NULL, true);
    } else {
        fprintf(stderr, "accountd: %s\n", error);
    }
    acd_embedded_stop(kafka);
    acd_embedded_redis_stop(redis);
    return code;
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    struct acd_settings settings;
    int code = ACD_EXIT_OK;

    read_settings(&settings, options.config);
    set_up_log(&settings);
    if (options.action == SERVE || options.action == EMBEDDED)
        acd_daemon_prepare();
    if (options.action != PRINT_CONFIG)
        check_settings(&settings, &options);
    switch (options.action) {
    case PRINT_CONFIG:
        acd_settings_print(&settings, stdout);
        break;
    case CHECK_CONFIG:
        /* What librdkafka says of connections on its way is in the findings. */
        acd_log_level(ACD_LOG_ERROR);
        if (options.connect)
            code = acd_daemon_examine(&settings, stdout);
        break;
    case CREATE_TOPICS:
        acd_log_level(ACD_LOG_ERROR);
        code = acd_daemon_create_topics(&settings, stdout);
        break;
    case EMBEDDED:
        code = serve_embedded(&settings);
        break;
    case SERVE:
        code = acd_daemon_run(&settings, options.config, false);
        break;
    }
    acd_settings_free(&settings);
    return code;
}
