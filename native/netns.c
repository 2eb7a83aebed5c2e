/* The network namespace without uplink: `lo` only, and every address of both families is local.
 * Out: packets to anywhere come back through `lo`, where nft.c hands them to the door.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>

#define LOOPBACK 1 /* the index of `lo` in every new namespace */

static void link_up(struct netlink *nl) {
    struct ifinfomsg head = {.ifi_index = LOOPBACK, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    nl_begin(nl, RTM_NEWLINK, NLM_F_ACK, &head, sizeof head);
    nl_end(nl);
}

static void address(struct netlink *nl, int family, const char *text) {
    unsigned char raw[16];
    size_t size = family == AF_INET ? 4 : 16;
    inet_pton(family, text, raw);
    struct ifaddrmsg head = {.ifa_family = (uint8_t)family, .ifa_prefixlen = (uint8_t)(size * 8),
                             .ifa_index = LOOPBACK};
    if (family == AF_INET6) head.ifa_flags = IFA_F_NODAD;
    nl_begin(nl, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    nl_put(nl, IFA_LOCAL, raw, size);
    nl_put(nl, IFA_ADDRESS, raw, size);
    nl_end(nl);
}

/* AnyIP: `ip route add local default dev lo`. */
static void everything_is_local(struct netlink *nl, int family) {
    uint32_t out = LOOPBACK;
    struct rtmsg head = {.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_LOCAL,
                         .rtm_protocol = RTPROT_BOOT, .rtm_scope = RT_SCOPE_HOST,
                         .rtm_type = RTN_LOCAL};
    nl_begin(nl, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    nl_put(nl, RTA_OIF, &out, sizeof out);
    nl_end(nl);
}

void op_netns(int argc, char **argv) {
    static struct netlink nl;
    (void)argc, (void)argv;
    if (unshare(CLONE_NEWNET)) fail("netns", "unshare");
    link_up(&nl);
    /* One address a family that is not loopback, or AI_ADDRCONFIG finds no name at all. */
    address(&nl, AF_INET, "198.18.0.1");
    address(&nl, AF_INET6, "fd00:c1ea::1");
    everything_is_local(&nl, AF_INET);
    everything_is_local(&nl, AF_INET6);
    nl_send(&nl, NETLINK_ROUTE, "netns");
    load_rules();
    /* Nobody is root inside, yet servers on port 80 are usual. */
    write_text("netns", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}
