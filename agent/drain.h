/* Pipes whose command has ended while background processes still write to them.
 *
 * Closing them would kill a server that was started in the background; leaving them full would
 * stop it. So they are read and thrown away, at most MAX_DRAINS of them, oldest closed first.
 */
#ifndef CLEANROOM_DRAIN_H
#define CLEANROOM_DRAIN_H

#include <poll.h>
#include <stddef.h>

enum { MAX_DRAINS = 128 };

void drain_adopt(int fd);                     /* takes the descriptor */
size_t drain_poll(struct pollfd *set);        /* fills at most MAX_DRAINS entries */
void drain_handle(const struct pollfd *set, size_t count);

#endif
