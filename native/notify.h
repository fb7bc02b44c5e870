/* The datagram of sd_notify(3). Node cannot send it: it has no AF_UNIX datagram sockets. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stddef.h>

/* Sends `state` to the socket that NOTIFY_SOCKET names: a path, or '@' and an abstract name. Returns 0 or an errno.
 * Waits at most one second for a receiver whose queue is full. */
int notify_send(const char *socket_name, const char *state, size_t length);

#endif
