/* What a setting's text must look like, one function a kind of text. */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "accountd/account.h"
#include "accountd/keyring.h"
#include "accountd/log.h"
#include "listen.h"
#include "settings_table.h"

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

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

bool acd_check_path(const char *text, char *message, size_t message_bytes)
{
    return text[0] == '\0' || text[0] == '/' ||
           wrong(message, message_bytes, text, "must be an absolute path");
}

bool acd_check_secret_file(const char *text, char *message, size_t message_bytes)
{
    return text[0] == '/' || !strchr(text, '/') ||
           wrong(message, message_bytes, text,
                 "must be an absolute path, or the name of a systemd credential");
}

bool acd_check_key(const char *text, char *message, size_t message_bytes)
{
    struct acd_key_text parts;
    const char *rule = acd_key_parse(text, &parts, NULL, 0);

    return !rule || wrong(message, message_bytes, text, rule);
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
