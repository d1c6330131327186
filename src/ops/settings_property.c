/* librdkafka's properties: which of them are accountd's own, and which are secrets. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#include "accountd/secret.h"
#include "settings_table.h"

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
    {"log.queue", "its lines are in accountd's log"},
    {"delivery.report.only.error", "every delivery is looked at"},
    {"ssl.key.pem", "a private key belongs into a file: use ssl.key.location"},
};

/* Parts of the names of properties that are secrets, whatever releases of librdkafka add. */
static const char *const secrets[] = {"password", "passphrase", "secret", "key.pem", "oauthbearer.config"};

#define FILE_SUFFIX "_file"

static const char *owned(const char *name)
{
    for (size_t i = 0; i < sizeof(owned_properties) / sizeof(owned_properties[0]); i++)
        if (strcmp(name, owned_properties[i].name) == 0)
            return owned_properties[i].reason;
    return NULL;
}

static bool is_secret(const char *name)
{
    bool found = false;

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        found |= strstr(name, secrets[i]) != NULL;
    return found;
}

/* Cuts "_file" off. Returns false when the name does not end so. */
static bool cut_suffix(char *name)
{
    size_t len = strlen(name);
    size_t suffix = strlen(FILE_SUFFIX);
    bool has = len > suffix && strcmp(name + len - suffix, FILE_SUFFIX) == 0;

    if (has)
        name[len - suffix] = '\0';
    return has;
}

static bool librdkafka_takes(const char *name, const char *value, char *message, size_t message_bytes)
{
    char error[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool taken = rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK;

    rd_kafka_conf_destroy(conf);
    if (!taken)
        snprintf(message, message_bytes, "'%s' is refused by librdkafka: %s", name, error);
    return taken;
}

bool acd_property_tells_secret(const char *text)
{
    const char *equals = strchr(text, '=');
    char name[128] = "";

    if (!equals || (size_t)(equals - text) >= sizeof(name))
        return false;
    memcpy(name, text, (size_t)(equals - text));
    return !cut_suffix(name) && is_secret(name);
}

bool acd_check_property(const char *text, char *message, size_t message_bytes)
{
    const char *equals = strchr(text, '=');
    char name[128] = "";
    bool in_file;

    if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name)) {
        snprintf(message, message_bytes, "'%.80s' must be \"name=value\"", text);
        return false;
    }
    memcpy(name, text, (size_t)(equals - text));
    in_file = cut_suffix(name);
    if (owned(name)) {
        snprintf(message, message_bytes, "'%s' cannot be set: %s", name, owned(name));
        return false;
    }
    if (is_secret(name) != in_file) {
        snprintf(message, message_bytes,
                 in_file ? "'%s' is no secret: write \"%s=value\""
                         : "'%s' is a secret: write it to a file, and \"%s_file=/path\" here",
                 name, name);
        return false;
    }
    /* Any text is a secret; that of a file is not looked at before it is needed. */
    return (!in_file || acd_check_secret_file(equals + 1, message, message_bytes)) &&
           librdkafka_takes(name, in_file ? "x" : equals + 1, message, message_bytes);
}
