/* TLS to Redis. hiredis' own way to a context checks the chain and not whose certificate it is; so the
 * context is made here, and hiredis shakes hands with it. */
#include "redis_tls.h"

#include <stdio.h>

#include "accountd/secret.h"

int acd_store_check(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    const char *wrong = NULL;

    if (settings->redis.socket[0])
        wrong = "redis.tls goes with redis.host and redis.port, not with redis.socket";
    else if (!settings->redis.tls_certificate_file[0] != !settings->redis.tls_key_file[0])
        wrong = "redis.tls_certificate_file and redis.tls_key_file go together";
#ifndef ACD_REDIS_TLS
    wrong = "redis.tls: this accountd was built with a hiredis that has no TLS, as that of Debian 12: take "
            "stunnel, as docs/security.md shows";
#endif
    if (!settings->redis.tls || !wrong)
        return 0;
    snprintf(error, error_bytes, "%s", wrong);
    return -1;
}

#ifndef ACD_REDIS_TLS

enum acd_store acd_redis_tls_start(redisContext *context, const struct acd_settings *settings, char *error,
                                   size_t error_bytes)
{
    return acd_store_check(settings, error, error_bytes) ? ACD_STORE_HALT : ACD_STORE_OK;
}

#else

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* What OpenSSL says of the call that failed last. */
static enum acd_store refuse(const char *what, const char *about, char *error, size_t error_bytes)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    snprintf(error, error_bytes, "%s '%s': %s", what, about, reason ? reason : "it does not fit");
    return ACD_STORE_HALT;
}

static enum acd_store trust(SSL_CTX *tls, const char *file, char *error, size_t error_bytes)
{
    if (file[0] ? SSL_CTX_load_verify_locations(tls, file, NULL) : SSL_CTX_set_default_verify_paths(tls))
        return ACD_STORE_OK;
    return refuse("redis.tls_ca_file", file, error, error_bytes);
}

static enum acd_store identify(SSL_CTX *tls, const struct acd_settings *settings, char *error,
                               size_t error_bytes)
{
    const char *certificate = settings->redis.tls_certificate_file;
    char key[4352];

    if (!certificate[0])
        return ACD_STORE_OK;
    if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1)
        return refuse("redis.tls_certificate_file", certificate, error, error_bytes);
    if (acd_secret_path(settings->redis.tls_key_file, key, sizeof(key), error, error_bytes))
        return ACD_STORE_HALT;
    if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(tls) != 1)
        return refuse("redis.tls_key_file", key, error, error_bytes);
    return ACD_STORE_OK;
}

/* Whose certificate it must be. An address is compared with the certificate's addresses, and is no name to be
 * asked for. */
static bool expect(SSL *connection, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), name) == 1;
    SSL_set_hostflags(connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(connection, name) == 1 && SSL_set_tlsext_host_name(connection, name) == 1;
}

/* On success the connection is hiredis', and ends with the context. */
static enum acd_store shake_hands(redisContext *context, SSL *connection, const char *name, char *error,
                                  size_t error_bytes)
{
    long verified;

    if (!expect(connection, name))
        return refuse("redis.tls_server_name", name, error, error_bytes);
    if (redisInitiateSSL(context, connection) == REDIS_OK)
        return ACD_STORE_OK;
    verified = SSL_get_verify_result(connection);
    if (verified == X509_V_OK) {
        snprintf(error, error_bytes, "TLS: %s", context->errstr);
        return ACD_STORE_DOWN;
    }
    snprintf(error, error_bytes, "TLS: the certificate of '%s' is refused: %s", name,
             X509_verify_cert_error_string(verified));
    return ACD_STORE_HALT;
}

enum acd_store acd_redis_tls_start(redisContext *context, const struct acd_settings *settings, char *error,
                                   size_t error_bytes)
{
    const char *name =
        settings->redis.tls_server_name[0] ? settings->redis.tls_server_name : settings->redis.host;
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    SSL *connection = NULL;
    enum acd_store result;

    ERR_clear_error();
    if (!tls || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(tls);
        return refuse("TLS", "", error, error_bytes);
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    result = trust(tls, settings->redis.tls_ca_file, error, error_bytes);
    if (result == ACD_STORE_OK)
        result = identify(tls, settings, error, error_bytes);
    if (result == ACD_STORE_OK) {
        connection = SSL_new(tls);
        result = connection ? shake_hands(context, connection, name, error, error_bytes)
                            : refuse("TLS", "", error, error_bytes);
        if (result != ACD_STORE_OK)
            SSL_free(connection);
    }
    /* The connection holds it for as long as it needs it. */
    SSL_CTX_free(tls);
    return result;
}

#endif
