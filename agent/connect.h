/* cleanroom-agent --connect PORT: one connection to a program inside, over 0 and 1.
 *
 * In: bytes on descriptor 0. Out: what the program answers, on 1; status 0 at its end, 1 if nobody
 * listens. Never: another address than the sandbox's own loopback.
 */
#ifndef CLEANROOM_CONNECT_H
#define CLEANROOM_CONNECT_H

int connect_port(const char *text);

#endif
