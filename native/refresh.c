/* Mounting a running sandbox's overlays anew: out with the old, then the same upper under a new one.
 *
 * SECURITY: the sandbox moves its own files meanwhile. Targets are resolved without symbolic links,
 * must be overlays, and are from then on reached by descriptor: it can spoil its own refresh, not
 * make it touch another mount.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define OVERLAY_MAGIC 0x794c7630
#define MOVE_FROM_EMPTY 0x4
#define MAX_TARGETS 64

static struct {
    const char *path, *name; /* name: the last component */
    int parent;
} targets[MAX_TARGETS];
static int target_count;

static void need(int index) {
    errno = EBADF;
    if (passed_count <= index) fail("refresh", "a descriptor is missing");
}

/* enter: the user namespace that owns the mounts, where the caller has every capability. */
void op_enter(int argc, char **argv) {
    (void)argc, (void)argv;
    need(1);
    if (setns(passed[1], CLONE_NEWUSER)) fail("refresh", "user namespace");
}

static void detach(const char *path) {
    char parent[4096];
    struct statfs kind;
    const char *slash = strrchr(path, '/');
    errno = EINVAL;
    if (target_count == MAX_TARGETS || !slash || strlen(path) >= sizeof parent) fail("refresh", path);
    snprintf(parent, sizeof parent, "%.*s/", (int)(slash - path), path);
    targets[target_count].path = path;
    targets[target_count].name = slash + 1;
    targets[target_count].parent = resolve(AT_FDCWD, parent, 0, "refresh");
    int fd = resolve(targets[target_count++].parent, slash + 1, 0, "refresh");
    errno = EINVAL;
    if (fstatfs(fd, &kind) || kind.f_type != OVERLAY_MAGIC) fail("refresh", path);
    if (fchdir(fd) || umount2(".", MNT_DETACH)) fail("refresh", path);
    close(fd);
}

/* detach TARGET...: unmounts each within the sandbox, keeps its parent folder open, comes back. */
void op_detach(int argc, char **argv) {
    need(0);
    int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (own < 0) fail("refresh", "/proc/self/ns/mnt");
    if (setns(passed[0], CLONE_NEWNS)) fail("refresh", "mount namespace");
    /* The last mounted first: one target may lie within another. */
    for (int i = argc - 1; i >= 0; i--) detach(argv[i]);
    if (setns(own, CLONE_NEWNS)) fail("refresh", "own mount namespace");
    close(own);
}

/* attach NAME TARGET: STAGE/NAME appears at the target, which never is a symbolic link. */
void op_attach(int argc, char **argv) {
    char path[256];
    (void)argc;
    snprintf(path, sizeof path, STAGE "/%s", argv[0]);
    int tree = copy_of(resolve(AT_FDCWD, path, 0, "refresh"), 0, path);
    int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (own < 0 || setns(passed[0], CLONE_NEWNS)) fail("refresh", "mount namespace");
    for (int i = 0; i < target_count; i++)
        if (!strcmp(targets[i].path, argv[1]) &&
            syscall(SYS_move_mount, tree, "", targets[i].parent, targets[i].name, MOVE_FROM_EMPTY))
            fail("refresh", argv[1]);
    if (setns(own, CLONE_NEWNS)) fail("refresh", "own mount namespace");
    close(own);
    close(tree);
}
