/* The rules that hand every packet to the door, as nfnetlink bytes:
 *
 *   table inet cr { chain pre {
 *     type filter hook prerouting priority mangle; policy accept;
 *     meta mark 1 accept                                        (the door's own answers)
 *     ip daddr 127.0.0.0/8 accept
 *     ip6 daddr ::1 accept
 *     meta l4proto tcp tproxy ip to 127.0.0.1:1 accept           (and ip6 to [::1]:1)
 *     udp dport != 53 tproxy ip to 127.0.0.1:1 accept            (and ip6 to [::1]:1)
 *   } }
 *
 * UDP 53 reaches the door's own sockets through the AnyIP routes; TCP 53 is TCP.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#define MANGLE ((uint32_t)-150)
#define DOOR_PORT 1

static void begin(struct netlink *nl, int type, int flags) {
    struct nfgenmsg head = {.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0};
    nl_begin(nl, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | NLM_F_CREATE | flags, &head,
             sizeof head);
}

static void batch(struct netlink *nl, int type) {
    struct nfgenmsg head = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    nl_begin(nl, type, 0, &head, sizeof head);
    nl_end(nl);
}

/* An expression is a list element with a name and nested data; `nests` closes what it opened. */
struct nests {
    size_t element, data;
};

static struct nests expression(struct netlink *nl, const char *name) {
    struct nests n = {.element = nl_nest(nl, NFTA_LIST_ELEM)};
    nl_put_text(nl, NFTA_EXPR_NAME, name);
    n.data = nl_nest(nl, NFTA_EXPR_DATA);
    return n;
}

static void done(struct netlink *nl, struct nests n) {
    nl_close(nl, n.data);
    nl_close(nl, n.element);
}

static void value(struct netlink *nl, int type, const void *data, size_t size) {
    size_t nest = nl_nest(nl, type);
    nl_put(nl, NFTA_DATA_VALUE, data, size);
    nl_close(nl, nest);
}

static void compare(struct netlink *nl, uint32_t how, const void *data, size_t size) {
    struct nests n = expression(nl, "cmp");
    nl_put_u32(nl, NFTA_CMP_SREG, NFT_REG_1);
    nl_put_u32(nl, NFTA_CMP_OP, how);
    value(nl, NFTA_CMP_DATA, data, size);
    done(nl, n);
}

static void meta_is(struct netlink *nl, uint32_t key, const void *wanted, size_t size) {
    struct nests n = expression(nl, "meta");
    nl_put_u32(nl, NFTA_META_DREG, NFT_REG_1);
    nl_put_u32(nl, NFTA_META_KEY, key);
    done(nl, n);
    compare(nl, NFT_CMP_EQ, wanted, size);
}

static void payload(struct netlink *nl, uint32_t base, uint32_t offset, uint32_t size) {
    struct nests n = expression(nl, "payload");
    nl_put_u32(nl, NFTA_PAYLOAD_DREG, NFT_REG_1);
    nl_put_u32(nl, NFTA_PAYLOAD_BASE, base);
    nl_put_u32(nl, NFTA_PAYLOAD_OFFSET, offset);
    nl_put_u32(nl, NFTA_PAYLOAD_LEN, size);
    done(nl, n);
}

static void immediate(struct netlink *nl, uint32_t reg, const void *data, size_t size) {
    struct nests n = expression(nl, "immediate");
    nl_put_u32(nl, NFTA_IMMEDIATE_DREG, reg);
    value(nl, NFTA_IMMEDIATE_DATA, data, size);
    done(nl, n);
}

static void accept_packet(struct netlink *nl) {
    struct nests n = expression(nl, "immediate");
    nl_put_u32(nl, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = nl_nest(nl, NFTA_IMMEDIATE_DATA);
    size_t verdict = nl_nest(nl, NFTA_DATA_VERDICT);
    nl_put_u32(nl, NFTA_VERDICT_CODE, NF_ACCEPT);
    nl_close(nl, verdict);
    nl_close(nl, data);
    done(nl, n);
}

static size_t rule(struct netlink *nl) {
    begin(nl, NFT_MSG_NEWRULE, NLM_F_APPEND);
    nl_put_text(nl, NFTA_RULE_TABLE, "cr");
    nl_put_text(nl, NFTA_RULE_CHAIN, "pre");
    return nl_nest(nl, NFTA_RULE_EXPRESSIONS);
}

static void end_rule(struct netlink *nl, size_t expressions) {
    accept_packet(nl);
    nl_close(nl, expressions);
    nl_end(nl);
}

static const unsigned char loopback4[4] = {127, 0, 0, 1};
static const unsigned char loopback6[16] = {[15] = 1};

/* What the door sends passes: an answer to a UDP socket that is not connected would else be taken
 * for a datagram to a foreign port. Nobody inside may mark a socket (CAP_NET_ADMIN). */
static void door_rule(struct netlink *nl) {
    uint32_t mark = DOOR_MARK;
    size_t expressions = rule(nl);
    meta_is(nl, NFT_META_MARK, &mark, sizeof mark);
    end_rule(nl, expressions);
}

/* Loopback traffic of the sandbox with itself passes. */
static void loopback_rule(struct netlink *nl, uint8_t family) {
    size_t expressions = rule(nl);
    meta_is(nl, NFT_META_NFPROTO, &family, sizeof family);
    if (family == NFPROTO_IPV4) {
        payload(nl, NFT_PAYLOAD_NETWORK_HEADER, 16, 1); /* first byte of the destination: a /8 */
        compare(nl, NFT_CMP_EQ, loopback4, 1);
    } else {
        payload(nl, NFT_PAYLOAD_NETWORK_HEADER, 24, 16);
        compare(nl, NFT_CMP_EQ, loopback6, 16);
    }
    end_rule(nl, expressions);
}

static void tproxy_rule(struct netlink *nl, uint8_t family, uint8_t protocol) {
    uint16_t port = htons(DOOR_PORT), dns = htons(53);
    size_t expressions = rule(nl);
    meta_is(nl, NFT_META_NFPROTO, &family, sizeof family);
    meta_is(nl, NFT_META_L4PROTO, &protocol, sizeof protocol);
    if (protocol == IPPROTO_UDP) {
        payload(nl, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
        compare(nl, NFT_CMP_NEQ, &dns, sizeof dns);
    }
    if (family == NFPROTO_IPV4) immediate(nl, NFT_REG_1, loopback4, sizeof loopback4);
    else immediate(nl, NFT_REG_1, loopback6, sizeof loopback6);
    immediate(nl, NFT_REG_2, &port, sizeof port);
    struct nests n = expression(nl, "tproxy");
    nl_put_u32(nl, NFTA_TPROXY_FAMILY, family);
    nl_put_u32(nl, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
    nl_put_u32(nl, NFTA_TPROXY_REG_PORT, NFT_REG_2);
    done(nl, n);
    end_rule(nl, expressions);
}

static void chain(struct netlink *nl) {
    begin(nl, NFT_MSG_NEWCHAIN, 0);
    nl_put_text(nl, NFTA_CHAIN_TABLE, "cr");
    nl_put_text(nl, NFTA_CHAIN_NAME, "pre");
    size_t hook = nl_nest(nl, NFTA_CHAIN_HOOK);
    nl_put_u32(nl, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
    nl_put_u32(nl, NFTA_HOOK_PRIORITY, MANGLE);
    nl_close(nl, hook);
    nl_put_u32(nl, NFTA_CHAIN_POLICY, NF_ACCEPT);
    nl_put_text(nl, NFTA_CHAIN_TYPE, "filter");
    nl_end(nl);
}

void load_rules(void) {
    static struct netlink nl;
    batch(&nl, NFNL_MSG_BATCH_BEGIN);
    begin(&nl, NFT_MSG_NEWTABLE, 0);
    nl_put_text(&nl, NFTA_TABLE_NAME, "cr");
    nl_end(&nl);
    chain(&nl);
    door_rule(&nl);
    loopback_rule(&nl, NFPROTO_IPV4);
    loopback_rule(&nl, NFPROTO_IPV6);
    tproxy_rule(&nl, NFPROTO_IPV4, IPPROTO_TCP);
    tproxy_rule(&nl, NFPROTO_IPV6, IPPROTO_TCP);
    tproxy_rule(&nl, NFPROTO_IPV4, IPPROTO_UDP);
    tproxy_rule(&nl, NFPROTO_IPV6, IPPROTO_UDP);
    batch(&nl, NFNL_MSG_BATCH_END);
    nl_send(&nl, NETLINK_NETFILTER, "nft_tproxy");
}
