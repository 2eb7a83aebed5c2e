/* In: one message on the socket named by argv[1]: records `op\0count\0arg\0...`, with descriptors.
 * Out: the door's sockets, then either an exec (the socket closes) or one error message
 * `E\0step\0errno\0text\0`. Never: a step after a failed one, or a descriptor nobody named.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_MESSAGE (192 * 1024)
#define MAX_ARGS 2048

int control = -1;
int passed[MAX_FDS];
int passed_count;
pid_t starter;

static char message[MAX_MESSAGE];

_Noreturn void fail(const char *step, const char *what) {
    int error = errno;
    char reply[512];
    int size = snprintf(reply, sizeof reply, "E%c%s%c%d%c%s: %s", 0, step, 0, error, 0, what,
                        error ? strerror(error) : "refused");
    if (size >= (int)sizeof reply) size = sizeof reply - 1;
    if (control < 0 || send(control, reply, (size_t)size + 1, MSG_NOSIGNAL) < 0)
        dprintf(2, "cleanroom-launch: %s: %s: %s\n", step, what, strerror(error));
    _exit(1);
}

int park(int fd) {
    int parked = fcntl(fd, F_DUPFD_CLOEXEC, PARKED_FD);
    if (parked < 0) fail("descriptors", "cannot move a descriptor");
    close(fd);
    return parked;
}

long number(const char *step, const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || end == text || value < 0) {
        errno = EINVAL;
        fail(step, text);
    }
    return value;
}

void die_with(pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) fail("message", "parent death signal");
    if (getppid() != parent) _exit(1); /* it ended before that, and no signal will come */
}

static long spent[2]; /* microseconds for network and for mounts */

/* Tells the daemon that all is prepared, then waits until it says that the gateway listens. Its end
 * is ours. */
static void op_wait(int argc, char **argv) {
    char go = 0, report[64];
    (void)argc, (void)argv;
    ssize_t size = snprintf(report, sizeof report, "R%c%ld%c%ld", 0, spent[0], 0, spent[1]);
    if (send(control, report, (size_t)size + 1, MSG_NOSIGNAL) < 0) _exit(1);
    do size = recv(control, &go, 1, 0);
    while (size < 0 && errno == EINTR);
    if (size != 1 || go != 'g') _exit(1);
}

static void op_done(int argc, char **argv) {
    (void)argc, (void)argv;
    _exit(0);
}

static void op_exec(int argc, char **argv) {
    char *environment[] = {NULL};
    (void)argc;
    int filter = seccomp_file();
    if (syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */)) fail("exec", "close_range");
    if (dup3(filter, SECCOMP_FD, 0) < 0) fail("exec", "dup3");
    for (int i = 0; i < passed_count; i++)
        if (passed[i] >= 0 && dup3(passed[i], FIRST_FD + i, 0) < 0) fail("exec", "dup3");
    /* SECURITY: set-uid programs must not help anybody from here on (promise I8). */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("exec", "no_new_privs");
    execve(argv[0], argv, environment);
    fail("exec", argv[0]);
}

static const struct op ops[] = {
    {"cgroup", 1, 8, op_cgroup},   {"userns", 2, 2, op_userns}, {"netns", 0, 0, op_netns},
    {"door", 0, 0, op_door},       {"wait", 0, 0, op_wait},     {"mountns", 0, 0, op_mountns},
    {"take", 3, 3, op_take},       {"idmap", 5, 5, op_idmap},   {"stage", 0, 0, op_stage},
    {"overlay", 2, 2, op_overlay}, {"rlimit", 2, 2, op_rlimit}, {"drop", 2, 2, op_drop},
    {"dir", 1, 1, op_dir},         {"link", 2, 2, op_link},     {"file", 3, 3, op_file},
    {"copy", 2, 2, op_copy},       {"place", 2, 2, op_place},
    {"enter", 0, 0, op_enter},     {"detach", 1, 64, op_detach}, {"attach", 2, 2, op_attach},
    {"done", 0, 0, op_done},       {"exec", 1, MAX_ARGS, op_exec},
};

static size_t receive(void) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        struct cmsghdr align;
    } ancillary;
    struct iovec part = {message, sizeof message};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes,
                          .msg_controllen = sizeof ancillary.bytes};
    ssize_t size = recvmsg(control, &head, MSG_CMSG_CLOEXEC);
    if (size <= 0) _exit(1); /* the daemon is gone */
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&head); c; c = CMSG_NXTHDR(&head, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < count && passed_count < MAX_FDS; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof fd, sizeof fd);
            passed[passed_count++] = park(fd);
        }
    }
    errno = EMSGSIZE;
    if (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) fail("message", "too long");
    errno = EINVAL;
    if (message[size - 1]) fail("message", "not terminated");
    return (size_t)size;
}

/* The next text of the message; ends with an error rather than behind its end. */
static char *next(char **cursor, const char *end) {
    errno = EINVAL;
    if (*cursor >= end) fail("message", "cut short");
    char *text = *cursor;
    *cursor += strlen(text) + 1;
    return text;
}

static long microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void run(char *name, int argc, char **argv) {
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(ops[i].name, name)) continue;
        errno = EINVAL;
        if (argc < ops[i].least || argc > ops[i].most) fail(name, "wrong number of arguments");
        long before = microseconds();
        ops[i].run(argc, argv);
        spent[ops[i].run != op_netns && ops[i].run != op_door] += microseconds() - before;
        return;
    }
    errno = ENOSYS;
    fail("message", name);
}

int main(int argc, char **argv) {
    static char *args[MAX_ARGS + 1];
    if (argc != 2) return dprintf(2, "usage: cleanroom-launch DESCRIPTOR (started by cleanroom)\n"), 2;
    if (!strcmp(argv[1], "--seccomp")) { /* the filter as bytes, for people and tests */
        char chunk[8192];
        ssize_t size = pread(seccomp_file(), chunk, sizeof chunk, 0);
        return size > 0 && write(1, chunk, (size_t)size) == size ? 0 : 1;
    }
    control = park((int)number("message", argv[1]));
    /* The daemon's end before the exec is ours too; bubblewrap asks for the same afterwards. */
    starter = getppid();
    die_with(starter);
    size_t size = receive();
    /* Where memory runs out and no control group says whose, the workload goes before the host. */
    write_text("message", "/proc/self/oom_score_adj", "500");
    char *cursor = message, *end = message + size;
    while (cursor < end) {
        char *name = next(&cursor, end);
        long count = number("message", next(&cursor, end));
        errno = E2BIG;
        if (count > MAX_ARGS) fail("message", name);
        for (long i = 0; i < count; i++) args[i] = next(&cursor, end);
        args[count] = NULL;
        run(name, (int)count, args);
    }
    errno = EINVAL;
    fail("message", "no exec");
}
