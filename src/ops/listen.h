/* listen.h: ADDRESS:PORT, where the HTTP thread listens. */
#ifndef ACCOUNTD_OPS_LISTEN_H
#define ACCOUNTD_OPS_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

/* Reads "127.0.0.1:9464" or "[::1]:9464"; port 0 stands for any free one. False when it is neither. */
bool acd_listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *len);

#endif
