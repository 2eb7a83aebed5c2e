/* Netlink messages as bytes: built in a buffer, sent at once, each acknowledged.
 * In: message heads and attributes (RFC 3549). Out: an exchange, or the step's failure.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEAD sizeof(struct nlattr) /* already aligned */

static void *reserve(struct netlink *nl, size_t size) {
    size_t padded = NLMSG_ALIGN(size);
    errno = EMSGSIZE;
    if (nl->used + padded > sizeof nl->data) fail("netns", "netlink buffer");
    void *place = nl->data + nl->used;
    memset(place, 0, padded);
    nl->used += padded;
    return place;
}

void nl_begin(struct netlink *nl, int type, int flags, const void *head, size_t size) {
    nl->message = nl->used;
    struct nlmsghdr *header = reserve(nl, sizeof *header);
    header->nlmsg_type = (uint16_t)type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    if (flags & NLM_F_ACK) header->nlmsg_seq = ++nl->acks;
    memcpy(reserve(nl, size), head, size);
}

void nl_end(struct netlink *nl) {
    struct nlmsghdr *header = (void *)(nl->data + nl->message);
    header->nlmsg_len = (uint32_t)(nl->used - nl->message);
}

void nl_put(struct netlink *nl, int type, const void *data, size_t size) {
    struct nlattr *attribute = reserve(nl, HEAD + size);
    attribute->nla_type = (uint16_t)type;
    attribute->nla_len = (uint16_t)(HEAD + size);
    memcpy((char *)attribute + HEAD, data, size);
}

void nl_put_u32(struct netlink *nl, int type, uint32_t host_order) {
    uint32_t big_endian = htonl(host_order); /* nfnetlink numbers travel in network order */
    nl_put(nl, type, &big_endian, sizeof big_endian);
}

void nl_put_text(struct netlink *nl, int type, const char *text) {
    nl_put(nl, type, text, strlen(text) + 1);
}

size_t nl_nest(struct netlink *nl, int type) {
    size_t nest = nl->used;
    struct nlattr *attribute = reserve(nl, HEAD);
    attribute->nla_type = (uint16_t)(type | NLA_F_NESTED);
    return nest;
}

void nl_close(struct netlink *nl, size_t nest) {
    struct nlattr *attribute = (void *)(nl->data + nest);
    attribute->nla_len = (uint16_t)(nl->used - nest);
}

/* Reads one datagram of answers; returns how many messages were acknowledged in it. */
static uint32_t acknowledged(int fd, const char *step) {
    char answer[8192];
    uint32_t count = 0;
    ssize_t size = recv(fd, answer, sizeof answer, 0);
    if (size < 0) fail(step, "netlink answer");
    for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, (uint32_t)size);
         h = NLMSG_NEXT(h, size)) {
        if (h->nlmsg_type != NLMSG_ERROR) continue;
        struct nlmsgerr *result = NLMSG_DATA(h);
        if (result->error) {
            errno = -result->error;
            fail(step, "the kernel refused a netlink request");
        }
        count++;
    }
    return count;
}

void nl_send(struct netlink *nl, int protocol, const char *step) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0) fail(step, "netlink socket");
    struct timeval patience = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, nl->data, nl->used, 0, (void *)&kernel, sizeof kernel) < 0)
        fail(step, "netlink send");
    for (uint32_t seen = 0; seen < nl->acks;) seen += acknowledged(fd, step);
    close(fd);
}
