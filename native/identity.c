/* Who the sandbox is on the host: control groups, user namespace, limits, and dropped rights. */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_ID 4294967294L /* the highest valid uid or gid */

void write_text(const char *step, const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail(step, path);
    if (write(fd, text, strlen(text)) < 0) fail(step, path);
    close(fd);
}

/* cgroup FOLDER...: joins each before anything is created, so that all of it is counted. */
void op_cgroup(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/cgroup.procs", argv[i]);
        write_text("cgroup", path, "0");
    }
}

/* userns UID GID: a user namespace of its own, in which the caller keeps its ids UID and GID. It has
 * every capability there until the exec, which takes them all since UID is not 0 there. (As 0 the
 * kernel would refuse bubblewrap's own map: it may not map the parent's root without CAP_SETFCAP.)
 */
void op_userns(int argc, char **argv) {
    char map[64];
    (void)argc;
    if (unshare(CLONE_NEWUSER)) fail("userns", "unshare");
    /* An unprivileged gid map needs this first (user_namespaces(7)). */
    write_text("userns", "/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%1$ld %1$ld 1", number("userns", argv[0]));
    write_text("userns", "/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%1$ld %1$ld 1", number("userns", argv[1]));
    write_text("userns", "/proc/self/gid_map", map);
}

/* rlimit NAME VALUE: both soft and hard. */
void op_rlimit(int argc, char **argv) {
    static const struct {
        const char *name;
        int which;
    } known[] = {{"core", RLIMIT_CORE}, {"nofile", RLIMIT_NOFILE}, {"fsize", RLIMIT_FSIZE},
                 {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}};
    (void)argc;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, argv[0])) continue;
        rlim_t value = (rlim_t)number("rlimit", argv[1]);
        struct rlimit limit = {value, value};
        if (setrlimit(known[i].which, &limit)) fail("rlimit", argv[0]);
        return;
    }
    errno = EINVAL;
    fail("rlimit", argv[0]);
}

/* drop UID GID: no capability is left, and none can come back; as host root the ids change too.
 * 0 0 keeps the ids: rootless, they are an ordinary user's already.
 */
void op_drop(int argc, char **argv) {
    uid_t uid = (uid_t)number("drop", argv[0]);
    gid_t gid = (gid_t)number("drop", argv[1]);
    (void)argc;
    for (int capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno != EINVAL) fail("drop", "bounding set");
    if (uid) {
        if (setgroups(0, NULL)) fail("drop", "setgroups");
        if (setresgid(gid, gid, gid)) fail("drop", "setresgid");
        if (setresuid(uid, uid, uid)) fail("drop", "setresuid");
        /* SECURITY: fail closed if any of it did not take (isolation, "never as host uid 0"). */
        errno = EPERM;
        if (getuid() != uid || geteuid() != uid || !setuid(0)) fail("drop", "still privileged");
        errno = 0;
    }
    die_with(starter); /* the change of ids cleared it */
}

/* `from` appears as `to`; every other id is itself, except the two (isolation.md, workspace). */
static void write_map(pid_t child, const char *file, long from, long to) {
    long low = from < to ? from : to, high = from < to ? to : from;
    char path[64], map[256];
    int used = snprintf(map, sizeof map, "%ld %ld 1\n", from, to);
    const struct {
        long first, last;
    } rest[] = {{0, low - 1}, {low + 1, high - 1}, {high + 1, LAST_ID}};
    for (int i = 0; i < 3; i++)
        if (rest[i].first <= rest[i].last)
            used += snprintf(map + used, sizeof map - (size_t)used, "%ld %ld %ld\n", rest[i].first,
                             rest[i].first, rest[i].last - rest[i].first + 1);
    snprintf(path, sizeof path, "/proc/%d/%s", child, file);
    write_text("idmap", path, map);
}

int idmap_userns(long from_uid, long to_uid, long from_gid, long to_gid) {
    static long cached[4];
    static int cached_fd = -1;
    const long wanted[4] = {from_uid, to_uid, from_gid, to_gid};
    char path[64];
    if (cached_fd >= 0 && !memcmp(cached, wanted, sizeof wanted)) return cached_fd;
    pid_t own = getpid(), child = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child < 0) fail("idmap", "clone");
    if (!child) {
        die_with(own);
        for (;;) pause();
    }
    write_map(child, "uid_map", from_uid, to_uid);
    write_map(child, "gid_map", from_gid, to_gid);
    snprintf(path, sizeof path, "/proc/%d/ns/user", child);
    cached_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (cached_fd < 0) fail("idmap", path);
    memcpy(cached, wanted, sizeof wanted);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return cached_fd;
}
