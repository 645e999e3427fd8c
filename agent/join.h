/* `huddle-agent join`: from a token to a certificate. The authority is fetched from whoever answers
 * and taken only if its public key is the one on the command line; the token is shown, and the
 * request sent, over a connection that this authority vouches for. The key is made here and never
 * leaves. */
#ifndef HUDDLE_JOIN_H
#define HUDDLE_JOIN_H

/* argv[0] is the word "join". The exit code. */
int join_main(int argc, char **argv);

/* The URL with another port, for tests: "https://[::1]:7443/" and 7444 give "https://[::1]:7444".
 * The caller's to free. */
char *join_url(const char *url, unsigned port);

#endif
