/* Executions: a fixed table, so that nothing the workload does makes the agent grow. */
#ifndef CLEANROOM_EXEC_H
#define CLEANROOM_EXEC_H

#include <sys/types.h>

#include "frames.h"

/* Limits every command gets; negative: leave as it is. Set in the child, so the agent itself can
 * still fork and open when a workload has used up its share. */
struct limits {
    int64_t nproc, nofile, fsize;
};

enum phase {
    PHASE_FREE,
    PHASE_LIVE,   /* the process runs */
    PHASE_REAPED, /* it ended; its last output is on the way */
    PHASE_FAILED, /* nothing was executed; FAILED is owed */
};

struct execution {
    enum phase phase;
    uint32_t id;
    pid_t pid; /* also its session and its process group */
    bool tty;
    int in, out[2], report; /* our ends; -1 closed. A terminal is in and out[0]. */
    uint64_t credit[2];     /* bytes we may still send of each stream */
    uint64_t owed[2];       /* after the end: bytes that were in the pipe when it ended */
    uint64_t deadline_ms;   /* after the end: when EXITED goes out even if others hold the pipe */
    bool in_close;          /* no more stdin will come */
    uint32_t in_credit;     /* credit for stdin not announced yet */
    size_t in_start, in_end;
    int status;     /* of wait */
    uint8_t stage;  /* of FAILED */
    uint32_t error; /* of FAILED */
    uint8_t stdin_bytes[STDIN_WINDOW_BYTES];
};

extern struct execution executions[MAX_EXECUTIONS];

/* Start a command. Always takes a slot unless there is none; a failure is in its slot. NULL: no
 * slot, or the id is in use. */
struct execution *execution_start(uint32_t id, const struct start *start, const struct limits *);
struct execution *execution_find(uint32_t id);
struct execution *execution_of(pid_t pid);

/* It ended: note how, and how much of its output is still in the pipes. */
void execution_reaped(struct execution *, int status, uint64_t now_ms);

/* Whether EXITED may be sent now: its own output is out, and the pipes are closed or time is up. */
bool execution_done(const struct execution *, uint64_t now_ms);

/* Free the slot. Pipes that background processes still hold are read and thrown away. */
void execution_forget(struct execution *);

void execution_signal(const struct execution *, int number);
void execution_resize(const struct execution *, uint16_t rows, uint16_t columns);

/* False if the daemon sent more than it had credit for: hang up. */
bool execution_stdin(struct execution *, const uint8_t *bytes, size_t length);
void execution_stdin_close(struct execution *);
void execution_feed(struct execution *); /* write what is buffered to the process */

#endif
