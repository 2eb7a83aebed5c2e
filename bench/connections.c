/* Load for bench/relay.py: `serve PORT`, or `ask ADDRESS PORT PARALLEL SECONDS`.
 * In: arguments. Out: from `ask`, one line: connections, errors, median and 99th percentile in µs.
 * Never: a second request on a connection; what is measured is the making of new ones.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 2000000

static const char question[] = "ping\n";
static const char reply[] = "pong\n";
static unsigned taken_us[MOST];

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void serve(int port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&here, sizeof here) || listen(listener, 4096)) die("listen");
    struct epoll_event ready[256], interest = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &interest);
    for (;;) {
        int count = epoll_wait(poll, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            char buffer[64];
            if (fd == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    interest.data.fd = fd;
                    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &interest);
                }
            } else if (recv(fd, buffer, sizeof buffer, 0) <= 0 ||
                       send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL) < 0) {
                close(fd);
            } else {
                close(fd);
            }
        }
    }
}

static int order(const void *a, const void *b) {
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

static void begin(int poll, const struct sockaddr_in *there, double *began) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) die("socket");
    struct epoll_event interest = {.events = EPOLLOUT, .data.fd = fd};
    began[fd] = now_s();
    if (connect(fd, (const void *)there, sizeof *there) && errno != EINPROGRESS) die("connect");
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &interest);
}

static void ask(const char *address, int port, int parallel, double seconds) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    if (inet_pton(AF_INET, address, &there.sin_addr) != 1) die("address");
    double *began = calloc(65536, sizeof *began);
    int poll = epoll_create1(0);
    unsigned done = 0, errors = 0;
    struct epoll_event ready[256];
    if (!began) die("memory");
    double start = now_s(), until = start + seconds;
    for (int i = 0; i < parallel; i++) begin(poll, &there, began);
    while (now_s() < until) {
        int count = epoll_wait(poll, ready, 256, 100);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            char buffer[64];
            if (ready[i].events & EPOLLOUT && !(ready[i].events & (EPOLLERR | EPOLLHUP))) {
                struct epoll_event interest = {.events = EPOLLIN, .data.fd = fd};
                if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) < 0) errors++;
                epoll_ctl(poll, EPOLL_CTL_MOD, fd, &interest);
                continue;
            }
            ssize_t size = recv(fd, buffer, sizeof buffer, 0);
            if (size > 0) continue; /* the end follows */
            if (size < 0) errors++;
            else if (done < MOST) taken_us[done++] = (unsigned)((now_s() - began[fd]) * 1e6);
            close(fd);
            begin(poll, &there, began);
        }
    }
    double took = now_s() - start;
    qsort(taken_us, done, sizeof *taken_us, order);
    printf("%.1f %u %u %u\n", done / took, errors, taken_us[done / 2],
           taken_us[(unsigned)(done * 0.99)]);
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "serve")) serve(atoi(argv[2]));
    if (argc == 6 && !strcmp(argv[1], "ask"))
        ask(argv[2], atoi(argv[3]), atoi(argv[4]), atof(argv[5]));
    else
        fprintf(stderr, "usage: serve PORT | ask ADDRESS PORT PARALLEL SECONDS\n");
    return argc == 6 ? 0 : 2;
}
