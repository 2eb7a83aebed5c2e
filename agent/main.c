/* cleanroom-agent FD [--nproc N] [--nofile N] [--fsize BYTES]: process 1 of every sandbox.
 * cleanroom-agent --connect PORT: see connect.h.
 *
 * In: frames of the daemon on descriptor FD (a stream socket, virtio-serial or vsock).
 * Out: frames back; commands started, reaped and signalled; exit when FD ends, and then, being
 * process 1, everything of the sandbox ends with it.
 * Never: memory that grows with what the workload does, or a wait for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "connect.h"
#include "loop.h"

static int64_t number(const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0) {
        fprintf(stderr, "cleanroom-agent: cannot read the number '%s'\n", text);
        exit(2);
    }
    return value;
}

static void read_limits(char **argv, struct limits *limits)
{
    for (; *argv != NULL; argv += 2) {
        int64_t *which = strcmp(*argv, "--nproc") == 0    ? &limits->nproc
                         : strcmp(*argv, "--nofile") == 0 ? &limits->nofile
                         : strcmp(*argv, "--fsize") == 0  ? &limits->fsize
                                                          : NULL;
        if (which == NULL || argv[1] == NULL) {
            fprintf(stderr, "cleanroom-agent: cannot understand '%s'\n", *argv);
            exit(2);
        }
        *which = number(argv[1]);
    }
}

/* SECURITY: before the first fork. Dumpable, the agent could be traced by the workload, its
 * socket stolen and exit codes forged. A child becomes dumpable again by its own exec. */
static void harden(int fd)
{
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        perror("cleanroom-agent: cannot prepare");
        exit(2);
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* where it is not process 1: orphans come to it all the same */
    for (int i = 0; i < 3; i++)       /* 0, 1 and 2 are never free for a pipe */
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            exit(2);
}

/* As process 1 the end of this process ends all others; elsewhere end what was started, and
 * never anything else. */
static void end_everything(void)
{
    if (getpid() == 1)
        kill(-1, SIGKILL);
    for (struct execution *e = executions; e < executions + MAX_EXECUTIONS; e++)
        if (e->phase == PHASE_LIVE)
            kill(-e->pid, SIGKILL);
}

int main(int argc, char **argv)
{
    struct limits limits = {-1, -1, -1};
    if (argc == 3 && strcmp(argv[1], "--connect") == 0)
        return connect_port(argv[2]); /* a command like any other: it has no rights of the agent */
    if (argc < 2) {
        fprintf(stderr, "usage: cleanroom-agent FD [--nproc N] [--nofile N] [--fsize BYTES]\n");
        return 2;
    }
    int fd = (int)number(argv[1]);
    read_limits(argv + 2, &limits);
    harden(fd);
    int status = loop(fd, &limits);
    end_everything();
    return status;
}
