/* check: what the agent makes of frames, as text; built and run by the tests, with sanitizers.
 *
 * check < vectors           each line "HEX\tTEXT": prints "HEX\tTEXT" as this side reads it
 * check fuzz SEED ROUNDS    hostile bytes through the parser; ends with 0 unless something breaks
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"

static struct inbox inbox;

static void print_list(const char *name, char **list)
{
    printf(" %s=", name);
    for (size_t i = 0; list[i] != NULL; i++)
        printf("%s%s", i ? "," : "", list[i]);
}

static void print_frame(const struct frame *frame)
{
    const uint8_t *at = frame->payload;
    struct start start;
    switch (frame->type) {
    case FRAME_START:
        if (!start_parse(frame, &start)) {
            printf("broken");
            return;
        }
        printf("start id=%u tty=%d rows=%u columns=%u cwd=%s", frame->id, start.tty, start.rows,
               start.columns, start.cwd);
        print_list("argv", start.argv);
        print_list("env", start.env);
        return;
    case FRAME_STDIN:
        printf("stdin id=%u bytes=%u", frame->id, frame->length);
        return;
    case FRAME_STDIN_CLOSE:
        printf("stdin-close id=%u", frame->id);
        return;
    case FRAME_SIGNAL:
        printf("signal id=%u number=%u", frame->id, get32(at));
        return;
    case FRAME_RESIZE:
        printf("resize id=%u rows=%u columns=%u", frame->id, get16(at), get16(at + 2));
        return;
    default:
        printf("credit id=%u stream=%u count=%u", frame->id, at[0], get32(at + 1));
    }
}

/* Feed bytes in pieces; print what comes out if `loud`. */
static void feed(const uint8_t *bytes, size_t length, size_t piece, int loud)
{
    struct frame frame;
    struct start start;
    size_t given = 0;
    inbox.start = inbox.end = 0;
    for (;;) {
        enum next next = inbox_next(&inbox, &frame);
        if (next == NEXT_FRAME && loud)
            print_frame(&frame);
        else if (next == NEXT_FRAME && frame.type == FRAME_START)
            start_parse(&frame, &start);
        if (next == NEXT_BROKEN && loud)
            printf("broken");
        if (next == NEXT_BROKEN)
            return;
        if (next == NEXT_FRAME)
            continue;
        if (given == length)
            break;
        uint8_t *where;
        size_t room = inbox_room(&inbox, &where);
        size_t size = length - given < piece ? length - given : piece;
        if (size > room)
            abort(); /* a frame that never fits would stop the agent for ever */
        memcpy(where, bytes + given, size);
        inbox.end += size;
        given += size;
    }
    if (loud && inbox.start != inbox.end)
        printf("more");
}

static uint32_t random_state;

static uint32_t next_random(void) /* xorshift: the same seed, the same bytes, everywhere */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Mostly right frames with wrong insides: pure noise would end at the first header. */
static size_t hostile(uint8_t *bytes, size_t size)
{
    size_t used = 0;
    while (used + HEADER_BYTES + 64 < size && next_random() % 8) {
        uint8_t type = (uint8_t)(next_random() % 8);
        uint32_t length = type == FRAME_START ? 13 + next_random() % 48
                          : type == FRAME_STDIN ? 1 + next_random() % 48
                          : type == FRAME_CREDIT ? 5
                          : type == FRAME_STDIN_CLOSE ? 0 : 4;
        put_header(bytes + used, next_random() % 16 ? length : next_random(), type, next_random());
        used += HEADER_BYTES;
        for (uint32_t i = 0; i < length; i++)
            bytes[used + i] = (uint8_t)(next_random() % 3 ? next_random() % 4 : next_random());
        if (type == FRAME_START && length > 0 && next_random() % 4) {
            bytes[used] &= 1;
            put32(bytes + used + 5, next_random() % 4);
            put32(bytes + used + 9, next_random() % 4);
            bytes[used + length - 1] = 0;
        }
        used += length;
    }
    return used;
}

/* Change bytes here and there, and cut: what no sender of ours would write. */
static size_t mutate(uint8_t *bytes, size_t used)
{
    for (uint32_t left = next_random() % 4; left > 0 && used > 0; left--) {
        size_t at = next_random() % used;
        if (next_random() % 8 == 0)
            used = at;
        else
            bytes[at] = (uint8_t)(next_random() % 2 ? next_random() : 255 * (next_random() % 2));
    }
    return used;
}

static int fuzz(uint32_t seed, unsigned long rounds)
{
    static uint8_t bytes[4096];
    random_state = seed ? seed : 1;
    for (unsigned long i = 0; i < rounds; i++) {
        size_t used = mutate(bytes, hostile(bytes, sizeof bytes));
        feed(bytes, used, 1 + next_random() % 64, 0);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static char line[8192];
    static uint8_t bytes[4096];
    if (argc == 4 && strcmp(argv[1], "fuzz") == 0)
        return fuzz((uint32_t)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    while (fgets(line, sizeof line, stdin)) {
        size_t length = 0;
        unsigned value;
        for (char *at = line; sscanf(at, "%2x", &value) == 1 && *at != '\t'; at += 2)
            bytes[length++] = (uint8_t)value;
        printf("%.*s\t", (int)(length * 2), line);
        feed(bytes, length, sizeof bytes, 1);
        printf("\n");
    }
    return 0;
}
