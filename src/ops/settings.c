/* The table of settings, and their defaults. */
#include "accountd/settings.h"

#include <stdlib.h>
#include <string.h>

#include "settings_table.h"

#define BOOL(member)   ACD_SETTING_BOOL, offsetof(struct acd_settings, member), NULL
#define INT(member)    ACD_SETTING_INT, offsetof(struct acd_settings, member), NULL
#define STRING(member) ACD_SETTING_STRING, offsetof(struct acd_settings, member)
#define LIST(member)   ACD_SETTING_LIST, offsetof(struct acd_settings, member), NULL, 0

/* Whether a reload changes it. */
#define LIVE  true
#define FIXED false

/* Bytes of a topic's name, by Kafka; the group's id has the same. */
#define NAME_MAX_BYTES 249
/* Bytes of a socket's path with its NUL, by the kernel. */
#define SOCKET_MAX_BYTES 107
#define TEXT_MAX_BYTES   4096

/* clang-format off */
const struct acd_setting acd_setting_table[ACD_SETTING_COUNT] = {
    {"kafka", "brokers", STRING(kafka.brokers), "127.0.0.1:9092", 0, 1, TEXT_MAX_BYTES, acd_check_brokers,
     FIXED, "where to find the cluster: HOST:PORT, more of them separated by commas"},
    {"kafka", "group", STRING(kafka.group), "accountd", 0, 1, NAME_MAX_BYTES, acd_check_group,
     FIXED, "consumer group; daemons of one group share the partitions"},
    {"kafka", "commands", STRING(kafka.commands), "account.commands", 0, 1, NAME_MAX_BYTES, acd_check_topic,
     FIXED, "topic that is read; not compacted"},
    {"kafka", "replies", STRING(kafka.replies), "account.replies", 0, 1, NAME_MAX_BYTES, acd_check_topic,
     FIXED, "topic of replies to commands that name no other"},
    {"kafka", "exports", STRING(kafka.exports), "account.exports", 0, 1, NAME_MAX_BYTES, acd_check_topic,
     FIXED, "topic of exported files"},
    {"kafka", "changelog", STRING(kafka.changelog), "account.changelog", 0, 1, NAME_MAX_BYTES, acd_check_topic,
     FIXED, "topic of changes; compacted, with as many partitions as the commands"},
    {"kafka", "dead_letters", STRING(kafka.dead_letters), "account.dead-letters", 0, 1, NAME_MAX_BYTES,
     acd_check_topic, FIXED, "topic of commands that could not be decoded"},
    {"kafka", "reply_topics", LIST(kafka.reply_topics), 1, 512, acd_check_reply_topic,
     LIVE, "other topics that commands may name for their replies: names, or \"^regex$\" (POSIX extended)"},
    {"kafka", "properties", LIST(kafka.properties), 1, TEXT_MAX_BYTES, acd_check_property,
     FIXED, "librdkafka's, as \"security.protocol=ssl\"; a secret is named by its file, as \"sasl.password_file=/path\""},

    {"topics", "create", BOOL(topics.create), false, 0, 1, NULL, FIXED,
     "whether accountd makes the topics that are missing when it starts"},
    {"topics", "partitions", INT(topics.partitions), 8, 1, 4096, NULL, FIXED,
     "of the commands, when accountd makes them; the other topics get as many as they have"},
    {"topics", "replication_factor", INT(topics.replication_factor), 0, 0, 100, NULL, FIXED,
     "of the topics that accountd makes; 0: the brokers' default"},

    {"redis", "host", STRING(redis.host), "127.0.0.1", 0, 1, 255, NULL, FIXED, "name or address"},
    {"redis", "port", INT(redis.port), 6379, 1, 65535, NULL, FIXED, "TCP port"},
    {"redis", "socket", STRING(redis.socket), "", 0, 0, SOCKET_MAX_BYTES, acd_check_path,
     FIXED, "path of a Unix socket, used instead of host and port when it is set"},
    {"redis", "tls", BOOL(redis.tls), false, 0, 1, NULL, FIXED, "whether the connection to host and port is encrypted"},
    {"redis", "tls_ca_file", STRING(redis.tls_ca_file), "", 0, 0, TEXT_MAX_BYTES, acd_check_path,
     FIXED, "path of the authorities one of which must have signed Redis' certificate; empty: the system's"},
    {"redis", "tls_certificate_file", STRING(redis.tls_certificate_file), "", 0, 0, TEXT_MAX_BYTES, acd_check_path,
     FIXED, "path of accountd's own certificate, where Redis asks for one; empty: none"},
    {"redis", "tls_key_file", STRING(redis.tls_key_file), "", 0, 0, TEXT_MAX_BYTES, acd_check_secret_file,
     FIXED, "file with the key to it: an absolute path, or the name of a systemd credential"},
    {"redis", "tls_server_name", STRING(redis.tls_server_name), "", 0, 0, 255, NULL,
     FIXED, "name or address that Redis' certificate must be for; empty: redis.host"},
    {"redis", "username", STRING(redis.username), "", 0, 0, 255, NULL, FIXED, "of the ACL; empty: the default user"},
    {"redis", "password_file", STRING(redis.password_file), "", 0, 0, TEXT_MAX_BYTES,
     acd_check_secret_file,
     FIXED, "file whose first line is the password: an absolute path, or the name of a systemd credential; empty: none"},
    {"redis", "database", INT(redis.database), 0, 0, INT32_MAX, NULL, FIXED, "number of the database"},
    {"redis", "key_prefix", STRING(redis.key_prefix), "", 0, 0, 128, acd_check_key_prefix,
     FIXED, "stands before every key"},

    {"worker", "threads", INT(worker.threads), 2, 1, 64, NULL,
     FIXED, "workers, each with connections of its own; more than partitions are of no use"},
    {"worker", "batch_max", INT(worker.batch_max), 2000, 1, 100000, NULL,
     LIVE, "commands that are answered together, at most; twice as many where all make new accounts"},
    {"worker", "cache_mib", INT(worker.cache_mib), 64, 1, 1048576, NULL,
     FIXED, "MiB of accounts that are kept in memory, by all threads together; 1 holds about 3,000"},

    {"", "apps", LIST(apps), 1, 32, acd_check_app, LIVE, "apps that are served; none: all"},

    {"auth", "required", BOOL(auth.required), false, 0, 1, NULL, LIVE, "whether commands must be signed by one of the keys"},
    {"auth", "keys", LIST(auth.keys), 1, TEXT_MAX_BYTES, acd_check_key,
     LIVE, "\"ID file=FILE app=APP op=OP\": who may sign, the file of the secret, the apps and operations; no app=, no op=: all"},
    {"auth", "window_s", INT(auth.window_s), 900, 1, 86400, NULL,
     LIVE, "seconds between the signing of a command and its record's timestamp, at most"},
    {"auth", "ids_max", INT(auth.ids_max), 1000000, 1, 100000000, NULL,
     LIVE, "signed commands that are remembered, so that none takes effect twice; Redis needs some 160 bytes for each"},

    {"limits", "admins_per_app", INT(limits.admins_per_app), 10, 0, 100000, NULL, LIVE, "admins that an app may have"},
    {"limits", "exports", INT(limits.exports), 2, 1, 16, NULL, FIXED, "exports of whole apps that are made at once"},
    {"limits", "chunk_bytes", INT(limits.chunk_bytes), 921600, 1024, 921600, NULL, FIXED, "bytes that a chunk of an export has at most"},
    {"limits", "command_bytes", INT(limits.command_bytes), 1048576, 64, 16777216, NULL,
     LIVE, "longer commands are refused as malformed"},

    {"http", "listen", STRING(http.listen), "127.0.0.1:9464", 0, 1, 64, acd_check_listen,
     FIXED, "ADDRESS:PORT of /metrics, /livez, /readyz and /version"},

    {"log", "level", STRING(log.level), "info", 0, 1, 16, acd_check_level, LIVE, "error, warning, info or debug"},
    {"log", "format", STRING(log.format), "text", 0, 1, 16, acd_check_format, FIXED, "text or json"},
};
/* clang-format on */

static int set_default(const struct acd_setting *setting, struct acd_settings *settings)
{
    void *place = acd_setting_place(setting, settings);

    if (setting->kind == ACD_SETTING_BOOL)
        *(bool *)place = setting->number != 0;
    if (setting->kind == ACD_SETTING_INT)
        *(int64_t *)place = setting->number;
    if (setting->kind == ACD_SETTING_STRING)
        *(char **)place = strdup(setting->text);
    return setting->kind == ACD_SETTING_STRING && !*(char **)place ? -1 : 0;
}

int acd_settings_default(struct acd_settings *settings)
{
    int result = 0;

    memset(settings, 0, sizeof(*settings));
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        if (set_default(&acd_setting_table[i], settings))
            result = -1;
    return result;
}

const char *acd_setting_path(const struct acd_setting *setting, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "%s%s%s", setting->group, setting->group[0] ? "." : "", setting->name);
    return out;
}

int acd_strings_add(struct acd_strings *strings, char *item)
{
    char **items = realloc(strings->items, ((size_t)strings->count + 1) * sizeof(*items));

    if (!items)
        return -1;
    strings->items = items;
    items[strings->count++] = item;
    return 0;
}

void acd_strings_free(struct acd_strings *strings)
{
    for (uint32_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct acd_strings){0};
}

void acd_settings_free(struct acd_settings *settings)
{
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++) {
        const struct acd_setting *setting = &acd_setting_table[i];

        if (setting->kind == ACD_SETTING_STRING)
            free(*(char **)acd_setting_place(setting, settings));
        if (setting->kind == ACD_SETTING_LIST)
            acd_strings_free(acd_setting_place(setting, settings));
    }
    memset(settings, 0, sizeof(*settings));
}
