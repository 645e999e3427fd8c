/* `huddle-controller init`: makes the folder of the doors (pki/folder.h) and, where there is none,
 * a configuration that listens with it. Runs before any controller does; changes nothing where the
 * folder is there already. */
#ifndef HUDDLE_CONTROLLER_INIT_H
#define HUDDLE_CONTROLLER_INIT_H

/* argv[0] is the word "init". The exit code. */
int init_main(int argc, char **argv);

#endif
