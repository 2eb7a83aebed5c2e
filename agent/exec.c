/* Executions: see exec.h. The table, and what happens to one after its start. */
#include "exec.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "drain.h"
#include "spawn.h"

/* How long background processes that hold the pipes (a `> >(tee log)`) may still add to the
 * output of a command that ended. */
enum { DRAIN_MS = 100 };

struct execution executions[MAX_EXECUTIONS];

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

struct execution *execution_find(uint32_t id)
{
    for (struct execution *e = executions; e < executions + MAX_EXECUTIONS; e++)
        if (e->phase != PHASE_FREE && e->id == id)
            return e;
    return NULL;
}

struct execution *execution_of(pid_t pid)
{
    for (struct execution *e = executions; e < executions + MAX_EXECUTIONS; e++)
        if (e->phase == PHASE_LIVE && e->pid == pid)
            return e;
    return NULL;
}

struct execution *execution_start(uint32_t id, const struct start *start,
                                  const struct limits *limits)
{
    struct execution *e = executions;
    if (execution_find(id))
        return NULL;
    while (e < executions + MAX_EXECUTIONS && e->phase != PHASE_FREE)
        e++;
    if (e == executions + MAX_EXECUTIONS)
        return NULL;
    memset(e, 0, offsetof(struct execution, stdin_bytes));
    e->id = id;
    e->tty = start->tty;
    e->in = e->out[0] = e->out[1] = e->report = -1;
    spawn(e, start, limits);
    return e;
}

void execution_reaped(struct execution *e, int status, uint64_t now_ms)
{
    uint8_t report[5];
    e->phase = PHASE_REAPED;
    e->status = status;
    e->deadline_ms = now_ms + DRAIN_MS;
    if (read(e->report, report, sizeof report) == sizeof report) { /* else closed by exec */
        e->phase = PHASE_FAILED;
        e->stage = report[0];
        e->error = get32(report + 1);
    }
    close_end(&e->report);
    close_end(&e->in);
    for (int i = 0; i < 2; i++) {
        int waiting = 0;
        if (e->out[i] >= 0 && ioctl(e->out[i], FIONREAD, &waiting) == 0 && waiting > 0)
            e->owed[i] = (uint64_t)waiting;
    }
}

bool execution_done(const struct execution *e, uint64_t now_ms)
{
    if (e->phase != PHASE_REAPED)
        return false;
    if (e->out[0] < 0 && e->out[1] < 0)
        return true;
    return e->owed[0] == 0 && e->owed[1] == 0 && now_ms >= e->deadline_ms;
}

void execution_forget(struct execution *e)
{
    close_end(&e->report);
    close_end(&e->in);
    for (int i = 0; i < 2; i++)
        if (e->phase == PHASE_REAPED && e->out[i] >= 0)
            drain_adopt(e->out[i]);
        else
            close_end(&e->out[i]);
    e->phase = PHASE_FREE;
}

void execution_signal(const struct execution *e, int number)
{
    /* Only before it is reaped: until then nobody else can have its process group's number. */
    if (e->phase != PHASE_LIVE)
        return;
    if (kill(-e->pid, number) != 0)
        kill(e->pid, number); /* it has not made its group yet */
    if (e->tty) { /* a shell with job control moved its foreground job to another group */
        pid_t foreground = tcgetpgrp(e->out[0]);
        if (foreground > 0 && foreground != e->pid)
            kill(-foreground, number);
    }
}

void execution_resize(const struct execution *e, uint16_t rows, uint16_t columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    if (e->tty && e->out[0] >= 0)
        ioctl(e->out[0], TIOCSWINSZ, &size);
}

bool execution_stdin(struct execution *e, const uint8_t *bytes, size_t length)
{
    if (e->in < 0) { /* it ended or does not want it: swallow, so that nobody waits */
        e->in_credit += (uint32_t)length;
        return true;
    }
    if (e->in_start > 0) {
        memmove(e->stdin_bytes, e->stdin_bytes + e->in_start, e->in_end - e->in_start);
        e->in_end -= e->in_start;
        e->in_start = 0;
    }
    if (length > sizeof e->stdin_bytes - e->in_end)
        return false;
    memcpy(e->stdin_bytes + e->in_end, bytes, length);
    e->in_end += length;
    execution_feed(e);
    return true;
}

void execution_stdin_close(struct execution *e)
{
    e->in_close = true;
    execution_feed(e);
}

/* The end of a terminal's input is a character, and only where lines are edited. */
static void end_terminal_input(const struct execution *e)
{
    struct termios mode;
    if (tcgetattr(e->in, &mode) == 0 && (mode.c_lflag & ICANON) &&
        write(e->in, &mode.c_cc[VEOF], 1) < 0)
        return; /* full: it has more important input to read */
}

void execution_feed(struct execution *e)
{
    while (e->in >= 0 && e->in_start < e->in_end) {
        ssize_t put = write(e->in, e->stdin_bytes + e->in_start, e->in_end - e->in_start);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return;
        if (put < 0) { /* the reader is gone */
            e->in_credit += (uint32_t)(e->in_end - e->in_start);
            e->in_start = e->in_end = 0;
            close_end(&e->in);
            return;
        }
        e->in_start += (size_t)put;
        e->in_credit += (uint32_t)put;
    }
    if (e->in >= 0 && e->in_close) {
        if (e->tty)
            end_terminal_input(e);
        close_end(&e->in);
    }
}
