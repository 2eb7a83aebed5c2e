/* From a START to a process: see spawn.h. */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_BYTES = 256 * 1024 }; /* fewer switches between agent and workload; best effort */

/* The descriptors of the child: what becomes 0, 1, 2, and where it reports why it did not exec. */
struct ends {
    int in, out, err, report;
};

static void close_ends(const struct ends *ends)
{
    const int fds[] = {ends->in, ends->out, ends->err, ends->report};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static bool make_pipe(int *reader, int *writer, int ours_flags)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    *reader = fds[0];
    *writer = fds[1];
    return ours_flags == 0 || fcntl(fds[0], F_SETFL, ours_flags) == 0;
}

static bool make_pipes(struct execution *e, struct ends *ends)
{
    if (!make_pipe(&ends->in, &e->in, 0) || fcntl(e->in, F_SETFL, O_NONBLOCK) != 0 ||
        !make_pipe(&e->out[0], &ends->out, O_NONBLOCK) ||
        !make_pipe(&e->out[1], &ends->err, O_NONBLOCK))
        return false;
    fcntl(e->out[0], F_SETPIPE_SZ, PIPE_BYTES);
    return true;
}

static bool make_terminal(struct execution *e, struct ends *ends, const struct start *start)
{
    int unlocked = 0;
    e->out[0] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (e->out[0] < 0 || ioctl(e->out[0], TIOCSPTLCK, &unlocked) != 0)
        return false;
    execution_resize(e, start->rows, start->columns);
    /* By descriptor, not by name: /dev/pts belongs to the workload. */
    ends->in = ioctl(e->out[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends->in < 0)
        return false;
    ends->out = fcntl(ends->in, F_DUPFD_CLOEXEC, 3);
    ends->err = fcntl(ends->in, F_DUPFD_CLOEXEC, 3);
    e->in = fcntl(e->out[0], F_DUPFD_CLOEXEC, 3);
    return ends->out >= 0 && ends->err >= 0 && e->in >= 0;
}

static void limit(int resource, int64_t value)
{
    if (value < 0)
        return;
    struct rlimit both = {.rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value};
    setrlimit(resource, &both);
}

static _Noreturn void give_up(const struct ends *ends, uint8_t stage)
{
    uint8_t report[5] = {stage};
    put32(report + 1, (uint32_t)errno);
    if (write(ends->report, report, sizeof report) < 0)
        _exit(126);
    _exit(127);
}

static _Noreturn void child(const struct ends *ends, const struct start *start,
                            const struct limits *limits)
{
    sigset_t none;
    setsid();
    /* The agent keeps its own 0, 1 and 2 open, so none of ours is below 3. */
    dup2(ends->in, 0);
    dup2(ends->out, 1);
    dup2(ends->err, 2);
    if (start->tty && ioctl(0, TIOCSCTTY, 0) != 0)
        give_up(ends, STAGE_TTY);
    for (int number = 1; number < NSIG; number++) /* whoever started the daemon may ignore some */
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    if (chdir(start->cwd) != 0)
        give_up(ends, STAGE_CHDIR);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, limits->fsize);
    limit(RLIMIT_NOFILE, limits->nofile);
    limit(RLIMIT_NPROC, limits->nproc);
    environ = (char **)start->env; /* execvp searches the PATH of the command, not ours */
    execvp(start->argv[0], start->argv);
    give_up(ends, STAGE_EXEC);
}

static void fail(struct execution *e, uint8_t stage)
{
    e->error = (uint32_t)errno;
    e->stage = stage;
    e->phase = PHASE_FAILED;
}

void spawn(struct execution *e, const struct start *start, const struct limits *limits)
{
    struct ends ends = {-1, -1, -1, -1};
    if (start->tty ? !make_terminal(e, &ends, start) : !make_pipes(e, &ends)) {
        fail(e, start->tty ? STAGE_TTY : STAGE_FULL);
    } else if (!make_pipe(&e->report, &ends.report, O_NONBLOCK)) {
        fail(e, STAGE_FULL);
    } else {
        e->pid = fork();
        if (e->pid == 0)
            child(&ends, start, limits);
        if (e->pid < 0)
            fail(e, STAGE_FORK);
        else
            e->phase = PHASE_LIVE;
    }
    close_ends(&ends);
    e->in_credit = e->phase == PHASE_LIVE ? STDIN_WINDOW_BYTES : 0;
}
