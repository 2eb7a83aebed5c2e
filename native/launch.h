/* cleanroom-launch: shared declarations.
 *
 * One message in, descriptors out: each op is a function of its arguments, carried out in the order
 * of the message. The first that fails reports its step and ends the process: nothing was started.
 */
#ifndef CLEANROOM_LAUNCH_H
#define CLEANROOM_LAUNCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STAGE "/run/cleanroom" /* where every source can be reached by bubblewrap */
#define FIRST_FD 10            /* passed descriptors are numbered from here after exec */
#define SECCOMP_FD 9           /* the filter's descriptor after exec */
#define PARKED_FD 100          /* where descriptors wait until exec, above all fixed numbers */
#define MAX_FDS 64
#define MAX_TAKEN 128

/* main.c */
extern int control;          /* the daemon's socket */
extern int passed[MAX_FDS];  /* descriptors that came with the message */
extern int passed_count;
extern pid_t starter;        /* the daemon */
_Noreturn void fail(const char *step, const char *what); /* reports errno, ends */
int park(int fd);                                         /* moves a descriptor out of the way */
long number(const char *step, const char *text);          /* a decimal argument */
void die_with(pid_t parent);                              /* its end, past ones too, is this one's */

/* An op: its name, how many arguments it takes, what it does. */
struct op {
    const char *name;
    int least, most;
    void (*run)(int argc, char **argv);
};

/* identity.c */
void op_cgroup(int argc, char **argv);
void op_userns(int argc, char **argv);
void op_rlimit(int argc, char **argv);
void op_drop(int argc, char **argv);
void write_text(const char *step, const char *path, const char *text);
int idmap_userns(long from_uid, long to_uid, long from_gid, long to_gid);

/* netns.c, nft.c, door.c */
#define DOOR_MARK 1 /* on packets that the door's sockets send */
void op_netns(int argc, char **argv);
void op_door(int argc, char **argv);
void load_rules(void);

/* netlink.c */
struct netlink {
    char data[8192];
    size_t used;    /* bytes written */
    size_t message; /* offset of the message being written */
    uint32_t acks;  /* how many answers are owed */
};
void nl_begin(struct netlink *nl, int type, int flags, const void *head, size_t size);
void nl_end(struct netlink *nl);
void nl_put(struct netlink *nl, int type, const void *data, size_t size);
void nl_put_u32(struct netlink *nl, int type, uint32_t host_order);
void nl_put_text(struct netlink *nl, int type, const char *text);
size_t nl_nest(struct netlink *nl, int type);
void nl_close(struct netlink *nl, size_t nest);
void nl_send(struct netlink *nl, int protocol, const char *step);

/* mounts.c */
void op_mountns(int argc, char **argv);
void op_take(int argc, char **argv);
void op_idmap(int argc, char **argv);
void op_stage(int argc, char **argv);
void op_overlay(int argc, char **argv);

int taken_tree(const char *name);
int resolve(int folder, const char *path, int links, const char *step);
int copy_of(int fd, int flags, const char *path);

/* root.c */
void op_dir(int argc, char **argv);
void op_link(int argc, char **argv);
void op_file(int argc, char **argv);
void op_copy(int argc, char **argv);
void op_place(int argc, char **argv);

/* refresh.c */
void op_enter(int argc, char **argv);
void op_detach(int argc, char **argv);
void op_attach(int argc, char **argv);

/* seccomp.c */
int seccomp_file(void); /* a memory file with the filter as bubblewrap reads it */

#endif
