/* From a START to a process: pipes or a terminal, fork, exec. */
#ifndef CLEANROOM_SPAWN_H
#define CLEANROOM_SPAWN_H

#include "exec.h"

/* Fill the slot: PHASE_LIVE with its descriptors, or PHASE_FAILED with stage and errno. */
void spawn(struct execution *, const struct start *, const struct limits *);

#endif
