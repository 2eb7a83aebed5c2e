/* The agent's one loop: see loop.h.
 *
 * At most one frame is on its way out. Everything else that is owed to the daemon is a fact in
 * the table of executions, turned into a frame when the last one has left: nothing queues up.
 */
#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drain.h"

enum { MAX_POLL = 2 + 3 * MAX_EXECUTIONS + MAX_DRAINS };

static struct inbox inbox;
static struct {
    size_t start, end;
    uint8_t bytes[HEADER_BYTES + 1 + MAX_DATA_BYTES];
} outbox;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- frames out ------------------------------------------------------------------------ */

static void flush(int fd)
{
    while (outbox.start < outbox.end) {
        ssize_t put = write(fd, outbox.bytes + outbox.start, outbox.end - outbox.start);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return;
        if (put < 0)
            outbox.start = outbox.end; /* the next read says that the daemon is gone */
        else
            outbox.start += (size_t)put;
    }
}

static bool idle(void)
{
    return outbox.start == outbox.end;
}

static void emit(uint8_t type, uint32_t id, uint32_t length)
{
    put_header(outbox.bytes, length, type, id);
    outbox.start = 0;
    outbox.end = HEADER_BYTES + length;
}

static void emit_pair(uint8_t type, uint32_t id, uint8_t first, uint32_t second)
{
    outbox.bytes[HEADER_BYTES] = first;
    put32(outbox.bytes + HEADER_BYTES + 1, second);
    emit(type, id, 5);
}

/* Read one stream of a command into the outbox; its end closes it. */
static void emit_output(struct execution *e, int stream)
{
    uint64_t most = e->credit[stream] < MAX_DATA_BYTES ? e->credit[stream] : MAX_DATA_BYTES;
    ssize_t got = read(e->out[stream], outbox.bytes + HEADER_BYTES + 1, most);
    if (got > 0) {
        e->credit[stream] -= (uint64_t)got;
        e->owed[stream] -= (uint64_t)got < e->owed[stream] ? (uint64_t)got : e->owed[stream];
        outbox.bytes[HEADER_BYTES] = (uint8_t)(stream + 1);
        emit(FRAME_OUTPUT, e->id, (uint32_t)got + 1);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) { /* a terminal ends with EIO */
        close(e->out[stream]);
        e->out[stream] = -1;
        e->owed[stream] = 0;
    }
}

/* What one execution owes the daemon besides output, if anything. */
static void emit_owed(struct execution *e, uint64_t now)
{
    if (e->in_credit > 0 && e->phase != PHASE_FAILED) {
        emit_pair(FRAME_CREDIT, e->id, 0, e->in_credit);
        e->in_credit = 0;
    } else if (e->phase == PHASE_FAILED) {
        emit_pair(FRAME_FAILED, e->id, e->stage, e->error);
        execution_forget(e);
    } else if (execution_done(e, now)) {
        if (WIFEXITED(e->status))
            emit_pair(FRAME_EXITED, e->id, 0, (uint32_t)WEXITSTATUS(e->status));
        else
            emit_pair(FRAME_EXITED, e->id, 1, (uint32_t)WTERMSIG(e->status));
        execution_forget(e);
    }
}

static void settle(int fd)
{
    uint64_t now = now_ms();
    for (struct execution *e = executions; e < executions + MAX_EXECUTIONS; e++) {
        do {
            flush(fd);
            if (!idle() || e->phase == PHASE_FREE)
                break;
            emit_owed(e, now);
        } while (!idle());
    }
    flush(fd);
}

/* --- frames in ------------------------------------------------------------------------- */

static void add_credit(struct execution *e, const uint8_t *payload)
{
    uint8_t stream = payload[0];
    if (stream == 1 || stream == 2)
        e->credit[stream - 1] += get32(payload + 1);
}

/* A frame for a live execution. One that has just ended is no fault of the daemon. */
static bool handle_for(struct execution *e, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_STDIN:
        return execution_stdin(e, frame->payload, frame->length);
    case FRAME_STDIN_CLOSE:
        execution_stdin_close(e);
        return true;
    case FRAME_SIGNAL:
        execution_signal(e, (int)get32(frame->payload));
        return true;
    case FRAME_RESIZE:
        execution_resize(e, get16(frame->payload), get16(frame->payload + 2));
        return true;
    default:
        add_credit(e, frame->payload);
        return true;
    }
}

static bool handle(int fd, const struct frame *frame, const struct limits *limits)
{
    struct start start;
    struct execution *e = execution_find(frame->id);
    if (frame->type != FRAME_START)
        return e == NULL || handle_for(e, frame);
    if (e != NULL || !start_parse(frame, &start))
        return false;
    if (execution_start(frame->id, &start, limits) == NULL) {
        /* Wait for room: there is no slot to keep this fact in. */
        while (flush(fd), !idle()) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            if (poll(&room, 1, -1) < 0 && errno != EINTR)
                return false;
        }
        emit_pair(FRAME_FAILED, frame->id, STAGE_FULL, EAGAIN);
    }
    return true;
}

/* False: the daemon hung up or broke the protocol, and *status says which. */
static bool receive(int fd, const struct limits *limits, int *status)
{
    uint8_t *where;
    size_t room = inbox_room(&inbox, &where);
    ssize_t got = read(fd, where, room);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    inbox.end += (size_t)got;
    for (;;) {
        struct frame frame;
        enum next next = inbox_next(&inbox, &frame);
        if (next == NEXT_MORE)
            return true;
        if (next == NEXT_BROKEN || !handle(fd, &frame, limits)) {
            *status = 1;
            return false;
        }
    }
}

/* --- the loop -------------------------------------------------------------------------- */

static void reap(int signals)
{
    struct signalfd_siginfo ignored;
    int status;
    pid_t pid;
    while (read(signals, &ignored, sizeof ignored) > 0)
        ;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct execution *e = execution_of(pid);
        if (e != NULL)
            execution_reaped(e, status, now_ms());
    }
}

/* Who waits for what: `who` maps a poll entry back to its execution, by index. */
struct waits {
    struct pollfd set[MAX_POLL];
    struct {
        uint8_t execution, what; /* what: 0 or 1 a stream, 2 stdin */
    } who[MAX_POLL];
    size_t count, drains;
    int timeout_ms;
};

static void add(struct waits *waits, int fd, short events, size_t execution, uint8_t what)
{
    waits->set[waits->count] = (struct pollfd){.fd = fd, .events = events};
    waits->who[waits->count].execution = (uint8_t)execution;
    waits->who[waits->count++].what = what;
}

static void add_execution(struct waits *waits, size_t index, uint64_t now)
{
    struct execution *e = &executions[index];
    if (e->phase != PHASE_LIVE && e->phase != PHASE_REAPED)
        return;
    for (uint8_t i = 0; i < 2; i++)
        if (idle() && e->out[i] >= 0 && e->credit[i] > 0)
            add(waits, e->out[i], POLLIN, index, i);
    if (e->in >= 0 && e->in_start < e->in_end)
        add(waits, e->in, POLLOUT, index, 2);
    if (idle() && e->phase == PHASE_REAPED && e->owed[0] == 0 && e->owed[1] == 0) {
        int left = e->deadline_ms > now ? (int)(e->deadline_ms - now) : 0;
        if (waits->timeout_ms < 0 || left < waits->timeout_ms)
            waits->timeout_ms = left;
    }
}

static void wait_for_all(struct waits *waits, int fd, int signals)
{
    uint64_t now = now_ms();
    static size_t first; /* another execution comes first each time: no one starves */
    waits->count = 0;
    waits->timeout_ms = -1;
    add(waits, fd, (short)(POLLIN | (idle() ? 0 : POLLOUT)), 0, 0);
    add(waits, signals, POLLIN, 0, 0);
    first = (first + 1) % MAX_EXECUTIONS;
    for (size_t i = 0; i < MAX_EXECUTIONS; i++)
        add_execution(waits, (first + i) % MAX_EXECUTIONS, now);
    waits->drains = drain_poll(waits->set + waits->count);
    if (poll(waits->set, waits->count + waits->drains, waits->timeout_ms) < 0)
        for (size_t i = 0; i < waits->count + waits->drains; i++)
            waits->set[i].revents = 0;
}

static void move_bytes(struct waits *waits, int fd)
{
    for (size_t i = 2; i < waits->count; i++) {
        struct execution *e = &executions[waits->who[i].execution];
        if (waits->set[i].revents == 0)
            continue;
        if (waits->who[i].what == 2) {
            execution_feed(e);
        } else if (idle() && e->out[waits->who[i].what] >= 0) {
            emit_output(e, waits->who[i].what);
            flush(fd);
        }
    }
    drain_handle(waits->set + waits->count, waits->drains);
}

int loop(int fd, const struct limits *limits)
{
    static struct waits waits;
    sigset_t child;
    int status = 0;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return 2;
    put32(outbox.bytes + HEADER_BYTES, PROTOCOL_VERSION);
    emit(FRAME_HELLO, 0, 4);
    for (;;) {
        settle(fd);
        wait_for_all(&waits, fd, signals);
        move_bytes(&waits, fd);
        if (waits.set[1].revents != 0)
            reap(signals);
        if ((waits.set[0].revents & ~POLLOUT) != 0 && !receive(fd, limits, &status))
            return status;
    }
}
