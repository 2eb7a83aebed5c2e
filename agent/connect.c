/* One connection to a program inside: see connect.h. */
#define _GNU_SOURCE
#include "connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One direction: what was read of `from` and not yet written to `to`. */
struct way {
    int from, to;
    bool ended; /* nothing more will be read */
    size_t start, end;
    char bytes[65536];
};

static struct way up = {.from = 0}, down = {.to = 1};

static int dial(uint16_t port)
{
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&four, sizeof four) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&six, sizeof six) == 0)
        return fd;
    return -1;
}

/* Move what can be moved now; false: this direction is broken. */
static bool move(struct way *way)
{
    if (way->start == way->end && !way->ended) {
        ssize_t got = read(way->from, way->bytes, sizeof way->bytes);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        way->start = 0;
        way->end = (size_t)got;
        way->ended = got == 0;
    }
    while (way->start < way->end) {
        ssize_t put = write(way->to, way->bytes + way->start, way->end - way->start);
        if (put < 0)
            return errno == EAGAIN || errno == EINTR;
        way->start += (size_t)put;
    }
    return true;
}

static void wait_for(struct pollfd *each, const struct way *way)
{
    bool full = way->start < way->end;
    *each = (struct pollfd){.fd = full       ? way->to
                                  : way->ended ? -1
                                               : way->from,
                            .events = full ? POLLOUT : POLLIN};
}

static int carry(int fd)
{
    bool told = false; /* the program inside knows that nothing more will come */
    while (!down.ended || down.start < down.end) {
        struct pollfd set[2];
        wait_for(&set[0], &up);
        wait_for(&set[1], &down);
        if (poll(set, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (!move(&down))
            return down.start < down.end ? 1 : 0; /* nobody reads 1 any more, or it was reset */
        if (!told && !move(&up)) {
            up.ended = told = true; /* it reads no more, and may still answer */
            up.start = up.end;
        }
        if (up.ended && up.start == up.end && !told) {
            shutdown(fd, SHUT_WR);
            told = true;
        }
    }
    return 0;
}

int connect_port(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*text < '1' || *text > '9' || *end != '\0' || port > 65535) {
        fprintf(stderr, "cleanroom-agent: cannot read the port '%s'\n", text);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int fd = dial((uint16_t)port);
    if (fd < 0) {
        fprintf(stderr, "cleanroom-agent: cannot connect to port %lu: %s\n", port, strerror(errno));
        return 1;
    }
    up.to = down.from = fd;
    for (int i = 0; i < 2; i++)
        fcntl(i, F_SETFL, fcntl(i, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    return carry(fd);
}
