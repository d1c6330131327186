/* --check-config --connect and --create-topics: the servers as the daemon would find them, and find them
 * then. */
#include <string.h>

#include "accountd/consumer.h"
#include "accountd/daemon.h"
#include "accountd/keyring.h"
#include "accountd/producer.h"
#include "accountd/secret.h"
#include "accountd/store.h"
#include "accountd/topics.h"

/* `errors` may be NULL. */
static int check_secrets(const struct acd_settings *settings, FILE *errors)
{
    int result = 0;

    for (uint32_t i = 0; i < settings->kafka.properties.count; i++) {
        struct acd_property property;
        char error[512];

        if (acd_property_read(settings->kafka.properties.items[i], &property, error, sizeof(error))) {
            if (errors)
                fprintf(errors, "kafka.properties: %s\n", error);
            result = -1;
        }
        explicit_bzero(&property, sizeof(property));
    }
    return result;
}

int acd_daemon_check_keys(const struct acd_settings *settings, FILE *errors)
{
    char error[1024] = "";
    struct acd_keyring *keyring;

    if (acd_keyring_open(settings, &keyring, error, sizeof(error))) {
        fprintf(errors, "auth.keys: %s\n", error);
        return -1;
    }
    acd_keyring_free(keyring);
    return 0;
}

int acd_daemon_check_settings(const struct acd_settings *settings, bool secrets, FILE *errors)
{
    char error[512] = "";

    if (acd_store_check(settings, error, sizeof(error))) {
        fprintf(errors, "%s\n", error);
        return -1;
    }
    /* librdkafka would miss what cannot be read. */
    if (check_secrets(settings, secrets ? errors : NULL))
        return secrets ? -1 : 0;
    if (acd_consumer_check(settings, error, sizeof(error)) == 0 &&
        acd_producer_check(settings, error, sizeof(error)) == 0)
        return 0;
    fprintf(errors, "kafka.properties: refused by librdkafka: %s\n", error);
    return -1;
}

static void examine_kafka(const struct acd_settings *settings, bool create, struct acd_findings *findings)
{
    char error[256] = "no memory";
    struct acd_own_topics own = {0};
    struct acd_topics *topics = acd_topics_open(settings, error, sizeof(error));

    if (topics && create)
        acd_topics_create(topics, findings);
    if (topics)
        acd_topics_examine(topics, false, &own, findings);
    else
        acd_finding_add(findings, ACD_FOUND_WRONG, "Kafka: %s: see kafka.properties", error);
    acd_topics_close(topics);
}

static void examine_redis(const struct acd_settings *settings, struct acd_findings *findings)
{
    struct acd_store_handle *store = acd_store_open(settings);
    struct acd_arena arena;

    acd_arena_init(&arena);
    if (store)
        acd_store_examine(store, &arena, findings);
    acd_store_close(store);
    acd_arena_free(&arena);
}

static int code_of(const struct acd_findings *findings)
{
    static const int codes[] = {ACD_EXIT_OK,     ACD_EXIT_OK,     ACD_EXIT_UNAVAILABLE,
                                ACD_EXIT_CONFIG, ACD_EXIT_NOPERM, ACD_EXIT_CONFIG};

    return codes[findings->worst];
}

int acd_daemon_examine(const struct acd_settings *settings, FILE *out)
{
    struct acd_findings findings = {.out = out};

    examine_kafka(settings, false, &findings);
    examine_redis(settings, &findings);
    return code_of(&findings);
}

int acd_daemon_create_topics(const struct acd_settings *settings, FILE *out)
{
    struct acd_findings findings = {.out = out};

    examine_kafka(settings, true, &findings);
    return code_of(&findings);
}
