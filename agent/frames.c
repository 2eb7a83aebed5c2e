/* Bytes <-> frames: see frames.h. Every length is judged before it is used. */
#include "frames.h"

#include <string.h>

uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void put_header(uint8_t *at, uint32_t length, uint8_t type, uint32_t id)
{
    put32(at, length);
    at[4] = type;
    put32(at + 5, id);
}

/* Whether a frame of this type may have this length: fixed sizes are exact, the rest bounded. */
static bool length_fits(uint8_t type, uint32_t length)
{
    switch (type) {
    case FRAME_START:
        return length >= 13 && length <= MAX_START_BYTES;
    case FRAME_STDIN:
        return length >= 1 && length <= MAX_DATA_BYTES;
    case FRAME_STDIN_CLOSE:
        return length == 0;
    case FRAME_SIGNAL:
    case FRAME_RESIZE:
        return length == 4;
    case FRAME_CREDIT:
        return length == 5;
    default:
        return false;
    }
}

size_t inbox_room(struct inbox *inbox, uint8_t **where)
{
    if (inbox->start > 0) {
        memmove(inbox->bytes, inbox->bytes + inbox->start, inbox->end - inbox->start);
        inbox->end -= inbox->start;
        inbox->start = 0;
    }
    *where = inbox->bytes + inbox->end;
    return sizeof inbox->bytes - inbox->end;
}

enum next inbox_next(struct inbox *inbox, struct frame *frame)
{
    uint8_t *at = inbox->bytes + inbox->start;
    size_t have = inbox->end - inbox->start;
    if (have < HEADER_BYTES)
        return NEXT_MORE;
    frame->length = get32(at);
    frame->type = at[4];
    frame->id = get32(at + 5);
    frame->payload = at + HEADER_BYTES;
    if (!length_fits(frame->type, frame->length))
        return NEXT_BROKEN;
    if (have - HEADER_BYTES < frame->length)
        return NEXT_MORE;
    inbox->start += HEADER_BYTES + frame->length;
    return NEXT_FRAME;
}

bool start_parse(const struct frame *frame, struct start *start)
{
    static char *strings[MAX_STRINGS + 2];
    const uint8_t *head = frame->payload;
    char *at = (char *)frame->payload + 13;
    char *end = (char *)frame->payload + frame->length;
    uint32_t argc = get32(head + 5), envc = get32(head + 9);

    if (frame->length < 15 || (head[0] & ~START_TTY) != 0 || end[-1] != '\0')
        return false;
    if (argc < 1 || argc > MAX_STRINGS || envc > MAX_STRINGS - argc)
        return false;
    start->tty = head[0] & START_TTY;
    start->rows = get16(head + 1);
    start->columns = get16(head + 3);
    start->cwd = at;
    at += strlen(at) + 1;
    char **next = strings;
    start->argv = next;
    for (uint32_t i = 0; i < argc + envc; i++) {
        if (at >= end)
            return false;
        if (i == argc)
            *next++ = NULL;
        *next++ = at;
        at += strlen(at) + 1;
    }
    if (envc == 0)
        *next++ = NULL;
    *next = NULL;
    start->env = start->argv + argc + 1;
    return at == end;
}
