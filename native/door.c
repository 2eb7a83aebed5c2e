/* The door: six sockets made inside the sandbox's network namespace, sent to the daemon.
 * Out: one message "D" with descriptors tcp4 tcp6 dns4 dns6 udp4 udp6 and the user namespace.
 * Never: a copy of them that survives the exec.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Values of the kernel's ABI that libc headers hide behind feature macros. */
#define OPT_IP_PKTINFO 8
#define OPT_IP_TRANSPARENT 19
#define OPT_IP_RECVORIGDSTADDR 20
#define OPT_IPV6_RECVPKTINFO 49
#define OPT_IPV6_RECVORIGDSTADDR 74
#define OPT_IPV6_TRANSPARENT 75

#define BACKLOG 1024
_Static_assert(DOOR_MARK == 1, "set() sets 1");

/* One socket of the door; options of level IPPROTO_IP or IPPROTO_IPV6 end with 0. */
struct part {
    int family, type, port;
    int loopback; /* bound to the loopback address, else to all */
    int options[4];
};

static const struct part parts[] = {
    {AF_INET, SOCK_STREAM, 1, 1, {OPT_IP_TRANSPARENT}},
    {AF_INET6, SOCK_STREAM, 1, 1, {OPT_IPV6_TRANSPARENT}},
    {AF_INET, SOCK_DGRAM, 53, 0, {OPT_IP_PKTINFO}},
    /* without TRANSPARENT, answers from an AnyIP source fail with EINVAL */
    {AF_INET6, SOCK_DGRAM, 53, 0, {OPT_IPV6_RECVPKTINFO, OPT_IPV6_TRANSPARENT}},
    {AF_INET, SOCK_DGRAM, 1, 1, {OPT_IP_TRANSPARENT, OPT_IP_RECVORIGDSTADDR}},
    {AF_INET6, SOCK_DGRAM, 1, 1, {OPT_IPV6_TRANSPARENT, OPT_IPV6_RECVORIGDSTADDR}},
};
#define PARTS ((int)(sizeof parts / sizeof *parts))

static void set(int fd, int level, int option) {
    int value = 1; /* switches it on; as SO_MARK, the mark */
    if (setsockopt(fd, level, option, &value, sizeof value)) fail("door", "setsockopt");
}

static void bind_to(int fd, const struct part *p) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)p->port)};
    v4.sin_addr.s_addr = htonl(p->loopback ? INADDR_LOOPBACK : INADDR_ANY);
    v6.sin6_addr = p->loopback ? in6addr_loopback : in6addr_any;
    int failed = p->family == AF_INET ? bind(fd, (void *)&v4, sizeof v4)
                                      : bind(fd, (void *)&v6, sizeof v6);
    if (failed) fail("door", "bind");
}

static int make(const struct part *p) {
    int level = p->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    int fd = socket(p->family, p->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) fail("door", "socket");
    set(fd, SOL_SOCKET, SO_MARK);
    if (p->family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    for (const int *option = p->options; *option; option++) set(fd, level, *option);
    bind_to(fd, p);
    if (p->type == SOCK_STREAM && listen(fd, BACKLOG)) fail("door", "listen");
    return fd;
}

void op_door(int argc, char **argv) {
    int fds[PARTS + 1];
    union {
        char bytes[CMSG_SPACE(sizeof fds)];
        struct cmsghdr align;
    } ancillary;
    (void)argc, (void)argv;
    for (int i = 0; i < PARTS; i++) fds[i] = make(&parts[i]);
    /* The user namespace that owns the mounts: the daemon needs it to mount anew later. */
    fds[PARTS] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    if (fds[PARTS] < 0) fail("door", "/proc/self/ns/user");
    memset(&ancillary, 0, sizeof ancillary);
    struct iovec part = {"D", 1};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes,
                          .msg_controllen = sizeof ancillary.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&head);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    if (sendmsg(control, &head, MSG_NOSIGNAL) < 0) fail("door", "sendmsg");
    for (int i = 0; i <= PARTS; i++) close(fds[i]);
}
