/* The sandbox's root folder, read-only later: folders, links, files, and trees of the host.
 *
 * bubblewrap could do all of it, but reads the whole mount table for each bind: 14 ms where this
 * takes one. SECURITY: every path is resolved from our own tmpfs, beneath it, without links and
 * without crossing into a mount, so that nothing is ever written into a tree of the host.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOVE_FROM_EMPTY 0x4
#define OWN_TREE_ONLY 0x0d /* RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH */

/* A place in the root: its parent folder, opened, and its own name. */
struct place {
    int parent;
    const char *name;
};

static int step_into(int folder, const char *name, const char *path) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_PATH | O_CLOEXEC | O_DIRECTORY, 0, OWN_TREE_ONLY};
    if (mkdirat(folder, name, 0755) && errno != EEXIST) fail("root", path);
    int next = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (next < 0) fail("root", path);
    close(folder);
    return next;
}

/* Makes the folders above `path`, which is absolute and normal (the plan's own rule). */
static struct place find(char *path) {
    struct place place = {open(STAGE "/root", O_PATH | O_CLOEXEC | O_DIRECTORY), path + 1};
    if (place.parent < 0) fail("root", STAGE);
    errno = EINVAL;
    if (path[0] != '/' || !path[1]) fail("root", path);
    for (char *slash; (slash = strchr(place.name, '/')); place.name = slash + 1) {
        *slash = 0;
        place.parent = step_into(place.parent, place.name, path);
        *slash = '/';
    }
    return place;
}

/* dir PATH */
void op_dir(int argc, char **argv) {
    (void)argc;
    struct place place = find(argv[0]);
    close(step_into(place.parent, place.name, argv[0]));
}

/* link TEXT PATH */
void op_link(int argc, char **argv) {
    (void)argc;
    struct place place = find(argv[1]);
    if (symlinkat(argv[0], place.parent, place.name)) fail("root", argv[1]);
    close(place.parent);
}

/* Fills a new file with all of `from`, and closes both. */
static void fill(char *path, int from, mode_t mode) {
    struct place place = find(path);
    int fd = openat(place.parent, place.name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) fail("root", path);
    ssize_t sent;
    while ((sent = sendfile(fd, from, NULL, 1 << 20)) > 0) continue;
    if (sent < 0 || fchmod(fd, mode & 07777)) fail("root", path);
    close(fd);
    close(place.parent);
    close(from);
}

/* file INDEX PATH MODE: with the content of a passed descriptor, which is used up. */
void op_file(int argc, char **argv) {
    (void)argc;
    long index = number("root", argv[0]);
    errno = EBADF;
    if (index >= passed_count || passed[index] < 0) fail("root", argv[1]);
    fill(argv[1], passed[index], (mode_t)strtol(argv[2], NULL, 8));
    passed[index] = -1;
}

/* copy SOURCE PATH: a file of the host as it is now. A mount would cost more: bubblewrap reads all
 * there are for each of its own. */
void op_copy(int argc, char **argv) {
    (void)argc;
    struct stat facts;
    int from = open(argv[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (from < 0 || fstat(from, &facts)) fail("copy", argv[0]);
    /* SECURITY: it is read with our rights: only what everybody may read. */
    errno = EACCES;
    if (!S_ISREG(facts.st_mode) || !(facts.st_mode & S_IROTH)) fail("copy", argv[0]);
    fill(argv[1], from, facts.st_mode & 0555);
}

/* place NAME PATH: a taken tree, a folder or a file, appears at the path. */
void op_place(int argc, char **argv) {
    (void)argc;
    int tree = taken_tree(argv[0]);
    struct stat kind;
    struct place place = find(argv[1]);
    if (fstat(tree, &kind)) fail("root", argv[1]);
    int failed = S_ISDIR(kind.st_mode) ? mkdirat(place.parent, place.name, 0755)
                                       : mknodat(place.parent, place.name, S_IFREG | 0444, 0);
    if (failed && errno != EEXIST) fail("root", argv[1]);
    if (syscall(SYS_move_mount, tree, "", place.parent, place.name, MOVE_FROM_EMPTY))
        fail("root", argv[1]);
    close(place.parent);
    close(tree);
}
