/* The agent's one loop: poll, read frames, move bytes, reap. */
#ifndef CLEANROOM_LOOP_H
#define CLEANROOM_LOOP_H

#include "exec.h"

/* Serve the daemon until it hangs up (0) or breaks the protocol (1). */
int loop(int fd, const struct limits *);

#endif
