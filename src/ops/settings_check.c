/* What a setting's text must look like, one function a kind of text. */
#include <librdkafka/rdkafka.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "accountd/account.h"
#include "accountd/log.h"
#include "listen.h"
#include "settings_table.h"

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* librdkafka's properties that would break exactly once, or that have a setting of their own. */
static const struct {
    const char *name;
    const char *reason;
} owned_properties[] = {
    {"bootstrap.servers", "use kafka.brokers"},
    {"metadata.broker.list", "use kafka.brokers"},
    {"group.id", "use kafka.group"},
    {"transactional.id", "every worker has its own"},
    {"transaction.timeout.ms", "it bounds how long a takeover waits"},
    {"enable.idempotence", "transactions need it"},
    {"enable.gapless.guarantee", "transactions decide what is published"},
    {"acks", "transactions need all of them"},
    {"request.required.acks", "transactions need all of them"},
    {"partitioner", "replies keep the partition of their command"},
    {"enable.auto.commit", "offsets are committed together with the replies"},
    {"auto.commit.enable", "offsets are committed together with the replies"},
    {"auto.commit.interval.ms", "offsets are committed together with the replies"},
    {"enable.auto.offset.store", "offsets are committed together with the replies"},
    {"offset.store.method", "offsets are committed together with the replies"},
    {"auto.offset.reset", "an offset that is gone must stop the partition, not be guessed"},
    {"isolation.level", "messages of aborted transactions must not be read"},
    {"message.max.bytes", "replies and export chunks are made to fit the default"},
    {"check.crcs", "records are always checked"},
    {"enable.partition.eof", "ends of partitions are of no use here"},
    {"group.instance.id", "static members are not fenced by the group's generation"},
    {"group.protocol", "only the classic protocol fences as accountd needs it"},
    {"group.remote.assignor", "only the classic protocol fences as accountd needs it"},
    {"partition.assignment.strategy", "assignments must be revoked as a whole"},
    {"allow.auto.create.topics", "a mistyped topic must not come into being"},
    {"test.mock.num.brokers", "use accountd --embedded"},
};

static bool wrong(char *message, size_t message_bytes, const char *text, const char *rule)
{
    snprintf(message, message_bytes, "'%.80s' %s", text, rule);
    return false;
}

/* True when every byte of the text is one of `allowed`. */
static bool consists_of(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == '\0';
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

bool acd_check_brokers(const char *text, char *message, size_t message_bytes)
{
    if (text[0] == ',' || strstr(text, ",,") || text[strlen(text) - 1] == ',' || strpbrk(text, " \t\r\n"))
        return wrong(message, message_bytes, text,
                     "must be HOST:PORT, or several separated by commas and without blanks");
    return true;
}

bool acd_check_group(const char *text, char *message, size_t message_bytes)
{
    return !has_control(text) || wrong(message, message_bytes, text, "must not hold control characters");
}

bool acd_check_topic(const char *text, char *message, size_t message_bytes)
{
    if (strlen(text) > 249 || !consists_of(text, LETTERS_AND_DIGITS "._-") || strcmp(text, ".") == 0 ||
        strcmp(text, "..") == 0)
        return wrong(message, message_bytes, text,
                     "is no topic name: 1 to 249 letters, digits, dots, underscores and hyphens");
    if (strncmp(text, "__", 2) == 0)
        return wrong(message, message_bytes, text, "begins with __, as only Kafka's own topics do");
    return true;
}

bool acd_check_reply_topic(const char *text, char *message, size_t message_bytes)
{
    size_t len = strlen(text);
    char reason[128];
    char rule[192];
    regex_t regex;
    int failure;

    if (text[0] != '^')
        return acd_check_topic(text, message, message_bytes);
    if (text[len - 1] != '$')
        return wrong(message, message_bytes, text, "must end with $, since it must match the whole name");
    failure = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
    if (!failure) {
        regfree(&regex);
        return true;
    }
    regerror(failure, &regex, reason, sizeof(reason));
    snprintf(rule, sizeof(rule), "is no POSIX extended regular expression: %s", reason);
    return wrong(message, message_bytes, text, rule);
}

bool acd_check_property(const char *text, char *message, size_t message_bytes)
{
    const char *equals = strchr(text, '=');
    char name[128] = "";
    char error[256] = "";
    rd_kafka_conf_t *conf;
    rd_kafka_conf_res_t result;

    if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name))
        return wrong(message, message_bytes, text, "must be \"name=value\"");
    memcpy(name, text, (size_t)(equals - text));
    for (size_t i = 0; i < sizeof(owned_properties) / sizeof(owned_properties[0]); i++)
        if (strcmp(name, owned_properties[i].name) == 0) {
            snprintf(message, message_bytes, "'%s' cannot be set: %s", name, owned_properties[i].reason);
            return false;
        }
    conf = rd_kafka_conf_new();
    result = rd_kafka_conf_set(conf, name, equals + 1, error, sizeof(error));
    rd_kafka_conf_destroy(conf);
    if (result != RD_KAFKA_CONF_OK)
        snprintf(message, message_bytes, "'%s' is refused by librdkafka: %s", name, error);
    return result == RD_KAFKA_CONF_OK;
}

bool acd_check_app(const char *text, char *message, size_t message_bytes)
{
    if (strlen(text) > ACD_APP_MAX || !consists_of(text, LETTERS_AND_DIGITS "_-"))
        return wrong(message, message_bytes, text,
                     "is no app name: 1 to 32 letters, digits, underscores and hyphens");
    return true;
}

bool acd_check_key_prefix(const char *text, char *message, size_t message_bytes)
{
    if (strpbrk(text, "{}") || has_control(text))
        return wrong(message, message_bytes, text,
                     "must hold neither braces (they choose the slot of a key) nor control characters");
    return true;
}

bool acd_check_socket(const char *text, char *message, size_t message_bytes)
{
    return text[0] == '\0' || text[0] == '/' ||
           wrong(message, message_bytes, text, "must be an absolute path");
}

bool acd_check_listen(const char *text, char *message, size_t message_bytes)
{
    struct sockaddr_storage address;
    socklen_t len;

    return acd_listen_parse(text, &address, &len) ||
           wrong(message, message_bytes, text, "must be ADDRESS:PORT, as 127.0.0.1:9464 or [::1]:9464");
}

bool acd_check_level(const char *text, char *message, size_t message_bytes)
{
    enum acd_log_level level;

    return acd_log_level_parse(text, &level) ||
           wrong(message, message_bytes, text, "must be error, warning, info or debug");
}

bool acd_check_format(const char *text, char *message, size_t message_bytes)
{
    enum acd_log_format format;

    return acd_log_format_parse(text, &format) || wrong(message, message_bytes, text, "must be text or json");
}
