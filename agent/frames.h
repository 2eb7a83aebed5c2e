/* Bytes <-> frames. Pure: no system calls, so that the fuzzer reaches every line. */
#ifndef CLEANROOM_FRAMES_H
#define CLEANROOM_FRAMES_H

#include <stdbool.h>

#include "protocol.h"

/* What arrived and is not handled yet. `bytes` is one byte longer than any frame. */
struct inbox {
    size_t start, end;
    uint8_t bytes[HEADER_BYTES + MAX_START_BYTES];
};

/* A START, pointing into its payload. argv and env end with NULL. */
struct start {
    bool tty;
    uint16_t rows, columns;
    const char *cwd;
    char **argv;
    char **env;
};

enum next { NEXT_FRAME, NEXT_MORE, NEXT_BROKEN };

/* Room to read into; moves what is left to the front. Never zero after NEXT_MORE. */
size_t inbox_room(struct inbox *inbox, uint8_t **where);

/* Take the next frame; its payload is valid until inbox_room. Broken: hang up. */
enum next inbox_next(struct inbox *inbox, struct frame *frame);

/* False if the payload is not exactly one START. Uses one static table of pointers. */
bool start_parse(const struct frame *frame, struct start *start);

uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
void put32(uint8_t *at, uint32_t value);
void put_header(uint8_t *at, uint32_t length, uint8_t type, uint32_t id);

#endif
