/* sign.h: signs what accountctl posts (accountd/auth.h says how). */
#ifndef ACCOUNTD_CTL_SIGN_H
#define ACCOUNTD_CTL_SIGN_H

#include <librdkafka/rdkafka.h>

#include "accountd/slice.h"
#include "exit.h"

/* Adds the three headers of a signed command. `key` is ID=FILE; the secret is the file's first line. Says on
 * stderr what is wrong with them. */
enum acd_ctl_exit acd_ctl_sign(const char *key, const char *topic, struct acd_slice record_key,
                               struct acd_slice value, rd_kafka_headers_t *headers)
    __attribute__((warn_unused_result));

#endif
