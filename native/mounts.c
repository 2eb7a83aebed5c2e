/* Mounts: every source is taken as a detached copy first, then a fresh tmpfs over /run holds them.
 *
 * Why: bubblewrap runs as an unprivileged uid that cannot walk into home or state folders, and paths
 * with ':' or ',' cannot be overlay options. Under STAGE/NAME each is one short, traversable path;
 * the host's own /run, with its sockets, is out of sight.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's ABI; libc of older distributions lacks it, newer ones clash with linux/mount.h. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#define MOVE_FROM_EMPTY 0x4
#define ATTR_RDONLY 0x1
#define ATTR_NOSUID 0x2
#define ATTR_NODEV 0x4
#define ATTR_IDMAP 0x100000
#define NO_SYMLINKS 0x04 /* RESOLVE_NO_SYMLINKS of openat2 */
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

struct attributes { /* struct mount_attr */
    uint64_t set, clear, propagation, userns;
};

struct how { /* struct open_how */
    uint64_t flags, mode, resolve;
};

static struct {
    const char *name;
    int tree;
    int placed; /* goes into the root (root.c), not beside it */
} taken[MAX_TAKEN];
static int taken_count;

void op_mountns(int argc, char **argv) {
    (void)argc, (void)argv;
    if (unshare(CLONE_NEWNS)) fail("mountns", "unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) fail("mountns", "private");
}

int resolve(int folder, const char *path, int links, const char *step) {
    struct how how = {.flags = O_PATH | O_CLOEXEC, .resolve = links ? 0 : NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd < 0) fail(step, path);
    return fd;
}

int copy_of(int fd, int flags, const char *path) {
    int tree = (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | flags);
    if (tree < 0) fail("mount", path);
    close(fd);
    return tree;
}

/* take NAME PATH FLAGS: `r` with mounts below it, `l` the path may hold symbolic links, `p` it will
 * be placed. */
void op_take(int argc, char **argv) {
    (void)argc;
    errno = E2BIG;
    if (taken_count == MAX_TAKEN) fail("mount", argv[1]);
    int fd = resolve(AT_FDCWD, argv[1], strchr(argv[2], 'l') != NULL, "mount");
    taken[taken_count].name = argv[0];
    taken[taken_count].placed = strchr(argv[2], 'p') != NULL;
    taken[taken_count++].tree = copy_of(fd, strchr(argv[2], 'r') ? AT_RECURSIVE : 0, argv[1]);
}

int taken_tree(const char *name) {
    for (int i = 0; i < taken_count; i++)
        if (!strcmp(taken[i].name, name)) return taken[i].tree;
    errno = ENOENT;
    fail("mount", name);
}

/* idmap NAME FROM_UID TO_UID FROM_GID TO_GID: the taken tree shows its owner as the sandbox's. */
void op_idmap(int argc, char **argv) {
    long ids[4];
    (void)argc;
    for (int i = 0; i < 4; i++) ids[i] = number("idmap", argv[i + 1]);
    struct attributes attributes = {
        .set = ATTR_IDMAP | ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV,
        .userns = (uint64_t)idmap_userns(ids[0], ids[1], ids[2], ids[3]),
    };
    int tree = taken_tree(argv[0]);
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes))
        fail("idmap", "mount_setattr");
}

static void make_place(const char *path, int tree) {
    struct stat kind;
    if (fstat(tree, &kind)) fail("stage", path);
    if (S_ISDIR(kind.st_mode)) {
        if (mkdir(path, 0755)) fail("stage", path);
        return;
    }
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
    if (fd < 0) fail("stage", path);
    close(fd);
}

/* stage: the tmpfs, with everything taken attached. */
void op_stage(int argc, char **argv) {
    (void)argc, (void)argv;
    umask(022);
    if (mount("cleanroom", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64m"))
        fail("stage", "tmpfs");
    if (mkdir(STAGE, 0755) || mkdir(STAGE "/empty", 0755) ||
        mkdir(STAGE "/root", 0755)) fail("stage", STAGE);
    for (int i = 0; i < taken_count; i++) {
        if (taken[i].placed) continue;
        char path[256];
        snprintf(path, sizeof path, STAGE "/%s", taken[i].name);
        make_place(path, taken[i].tree);
        if (syscall(SYS_move_mount, taken[i].tree, "", AT_FDCWD, path, MOVE_FROM_EMPTY))
            fail("stage", taken[i].name);
        close(taken[i].tree);
    }
}

/* overlay NAME OPTIONS: at STAGE/NAME. */
void op_overlay(int argc, char **argv) {
    char path[256];
    (void)argc;
    snprintf(path, sizeof path, STAGE "/%s", argv[0]);
    if (mkdir(path, 0755)) fail("overlay", path);
    if (mount("overlay", path, "overlay", MS_NOSUID | MS_NODEV, argv[1])) fail("overlay", argv[1]);
}
