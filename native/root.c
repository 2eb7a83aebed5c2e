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

/* file INDEX PATH MODE: with the content of a passed descriptor, which is used up. */
void op_file(int argc, char **argv) {
    (void)argc;
    long index = number("root", argv[0]);
    struct place place = find(argv[1]);
    mode_t mode = (mode_t)strtol(argv[2], NULL, 8);
    errno = EBADF;
    if (index >= passed_count || passed[index] < 0) fail("root", argv[1]);
    int fd = openat(place.parent, place.name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) fail("root", argv[1]);
    ssize_t sent;
    while ((sent = sendfile(fd, passed[index], NULL, 1 << 20)) > 0) continue;
    if (sent < 0 || fchmod(fd, mode & 07777)) fail("root", argv[1]);
    close(fd);
    close(place.parent);
    close(passed[index]);
    passed[index] = -1;
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
