/* Pipes whose command has ended: see drain.h. */
#include "drain.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int drains[MAX_DRAINS];
static size_t drain_count;

static void forget(size_t index)
{
    close(drains[index]);
    drain_count--;
    memmove(drains + index, drains + index + 1, (drain_count - index) * sizeof *drains);
}

void drain_adopt(int fd)
{
    if (drain_count == MAX_DRAINS)
        forget(0);
    drains[drain_count++] = fd;
}

size_t drain_poll(struct pollfd *set)
{
    for (size_t i = 0; i < drain_count; i++)
        set[i] = (struct pollfd){.fd = drains[i], .events = POLLIN};
    return drain_count;
}

void drain_handle(const struct pollfd *set, size_t count)
{
    static char waste[65536];
    for (size_t i = count; i-- > 0;) {
        if (set[i].revents == 0)
            continue;
        ssize_t got = read(set[i].fd, waste, sizeof waste);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            forget(i);
    }
}
