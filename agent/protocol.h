/* The protocol between the daemon and the agent: numbers both sides agree on.
 *
 * A frame is: u32 payload length, u8 type, u32 execution id, payload; integers are big-endian.
 * One stream carries every execution. Nobody sends stream bytes without credit, so one execution
 * that is not read never holds up another. src/cleanroom/agent/frames.py is the other half.
 */
#ifndef CLEANROOM_PROTOCOL_H
#define CLEANROOM_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    PROTOCOL_VERSION = 1,
    HEADER_BYTES = 9,
    MAX_START_BYTES = 1024 * 1024, /* payload of START; execve itself ends near 2 MiB */
    MAX_DATA_BYTES = 64 * 1024,    /* stream bytes in one STDIN or OUTPUT */
    MAX_STRINGS = 65536,           /* argv and environment of one START */
    MAX_EXECUTIONS = 128, /* limits.executions, and helpers beside them; at most 255 (loop.c) */
    STDIN_WINDOW_BYTES = 64 * 1024,
};

/* daemon -> agent */
enum {
    FRAME_START = 1,       /* u8 flags, u16 rows, u16 columns, u32 argc, u32 envc, cwd\0 argv\0.. env\0.. */
    FRAME_STDIN = 2,       /* bytes; never more than the credit the agent gave for stream 0 */
    FRAME_STDIN_CLOSE = 3, /* nothing */
    FRAME_SIGNAL = 4,      /* u32 number, to the process group */
    FRAME_RESIZE = 5,      /* u16 rows, u16 columns */
    FRAME_CREDIT = 6,      /* u8 stream, u32 bytes; both directions: 1 and 2 down, 0 up */
};

/* agent -> daemon */
enum {
    FRAME_HELLO = 16,  /* u32 protocol version; id 0; the first frame */
    FRAME_OUTPUT = 17, /* u8 stream (1 stdout or the terminal, 2 stderr), bytes */
    FRAME_EXITED = 18, /* u8 kind (0 code, 1 signal), u32 value; the last frame of its execution */
    FRAME_FAILED = 19, /* u8 stage, u32 errno; nothing was executed; the last frame too */
};

enum { START_TTY = 1 }; /* flags of START */

/* stages of FAILED */
enum {
    STAGE_FULL = 0,  /* no slot, or no descriptors for the pipes */
    STAGE_TTY = 1,   /* no terminal */
    STAGE_FORK = 2,  /* no process */
    STAGE_CHDIR = 3, /* no such working directory */
    STAGE_EXEC = 4,  /* the program itself */
};

struct frame {
    uint8_t type;
    uint32_t id;
    uint32_t length;
    uint8_t *payload;
};

#endif
