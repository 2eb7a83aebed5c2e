/* The system call filter as classic BPF, written to a memory file for `bwrap --seccomp`.
 * In: the table of syscalls.txt. Out: a program for this machine's architecture.
 * Never: a call of another ABI (32 bit, x32): the process that tries is killed (promise I6).
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "no system call filter for this architecture"
#endif

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

#define ALLOW SECCOMP_RET_ALLOW
#define ANSWER(error) (SECCOMP_RET_ERRNO | (error))
#define DENY ANSWER(EPERM)
#define KILL SECCOMP_RET_KILL_PROCESS

/* Flags of clone that make a namespace, CLONE_NEWNS to CLONE_NEWNET. */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
                    CLONE_NEWPID | CLONE_NEWNET)

static const struct {
    int call;
    uint32_t action;
} table[] = {
#include "syscalls.inc"
};

#define MAX_PROGRAM 1024
static struct sock_filter program[MAX_PROGRAM];
static unsigned short length;

static void add(uint16_t code, uint32_t k, uint8_t yes, uint8_t no) {
    errno = E2BIG;
    if (length == MAX_PROGRAM) fail("seccomp", "program");
    program[length++] = (struct sock_filter){code, yes, no, k};
}

static void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }
/* The low half of an argument: the kernel's own checks look at 32 bits of these too. */
static void load_arg(int i) { load(offsetof(struct seccomp_data, args) + (size_t)i * 8); }
static void answer(uint32_t action) { add(BPF_RET | BPF_K, action, 0, 0); }

static void when_equal(uint32_t value, uint32_t action) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(action);
}

static void when_any(uint32_t bits, uint32_t action) {
    add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    answer(action);
}

/* Opens a block for one call; what stands until `close_call` runs for that call only. */
static unsigned short open_call(int call) {
    add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 0);
    return (unsigned short)(length - 1);
}

static void close_call(unsigned short block, uint32_t otherwise) {
    answer(otherwise);
    program[block].jf = (uint8_t)(length - block - 1);
}

static void sockets(void) {
    unsigned short block = open_call(SYS_socket);
    load_arg(0);
    when_equal(AF_UNIX, ALLOW);
    add(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 4);
    load_arg(2);
    when_equal(0 /* NETLINK_ROUTE: getaddrinfo and Go read addresses */, ALLOW);
    answer(ANSWER(EPROTONOSUPPORT));
    add(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 10);
    load_arg(1); /* protocol 0 of another type is SCTP or DCCP */
    add(BPF_ALU | BPF_AND | BPF_K, 0xf /* SOCK_TYPE_MASK */, 0, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 1, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 0, 5);
    load_arg(2); /* rare protocols are a large surface for nothing */
    add(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1);
    answer(ALLOW);
    answer(ANSWER(EPROTONOSUPPORT));
    close_call(block, ANSWER(EAFNOSUPPORT)); /* VSOCK, PACKET, ALG, XDP, CAN, other netlink, ... */
    block = open_call(SYS_socketpair);
    load_arg(0);
    when_equal(AF_UNIX, ALLOW);
    close_call(block, ANSWER(EAFNOSUPPORT));
}

static void other_arguments(void) {
    unsigned short block = open_call(SYS_clone);
    load_arg(0);
    when_any(NAMESPACES, DENY);
    close_call(block, ALLOW);

    block = open_call(SYS_ioctl);
    load_arg(1);
    when_equal(0x5412 /* TIOCSTI: types into a terminal */, DENY);
    when_equal(0x541C /* TIOCLINUX: pastes into a console */, DENY);
    close_call(block, ALLOW);

    block = open_call(SYS_personality);
    load_arg(0);
    when_equal(0, ALLOW);
    when_equal(0xffffffff /* only asks */, ALLOW);
    when_equal(0x0040000 /* ADDR_NO_RANDOMIZE: debuggers */, ALLOW);
    close_call(block, DENY);

}

/* Debuggers and limits are allowed, but never of the agent: lowering its limits, which its uid is
 * enough for, would make every later command fail (promises I7 and I13). */
static void never_process_1(void) {
    static const struct {
        int call, argument;
    } named[] = {{SYS_ptrace, 1}, {SYS_prlimit64, 0}, {SYS_setpriority, 1}, {SYS_ioprio_set, 1},
                 {SYS_sched_setaffinity, 0}, {SYS_sched_setscheduler, 0},
                 {SYS_sched_setparam, 0}, {SYS_sched_setattr, 0}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        unsigned short block = open_call(named[i].call);
        load_arg(named[i].argument);
        when_equal(1, DENY);
        close_call(block, ALLOW);
    }
}

static void build(void) {
    load(offsetof(struct seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0);
    answer(KILL);
    load(offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
    add(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    answer(KILL);
#endif
    sockets();
    other_arguments();
    never_process_1();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        when_equal((uint32_t)table[i].call, table[i].action);
    answer(ANSWER(ENOSYS));
}

int seccomp_file(void) {
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0) fail("seccomp", "memfd_create");
    fd = park(fd);
    build();
    size_t size = length * sizeof *program;
    if (write(fd, program, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        fail("seccomp", "write");
    return fd;
}
