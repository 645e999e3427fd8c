/* huddlectl, also installed as kubectl-huddle: see verb.h. */
#include "controller/cli/verb.h"

int main(int argc, char **argv)
{
    return cli_run(argc, argv);
}
