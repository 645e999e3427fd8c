/* Looks at this machine's energy zones as `huddle-agent --once` does, but with the time between the
 * samples in the hands of a test: one sample at the start and one for each line on standard input
 * ("ok" answers each), the JSON of once.h over the whole at its end. With --report-fds it prints
 * instead how many open descriptors an exec would
 * inherit, and how many there are. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/energy_counter.h"
#include "agent/once.h"
#include "agent/sensor/sensors.h"

static void report_fds(void)
{
    int inherited = 0, all = 0;

    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        all += flags >= 0;
        inherited += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    (void)printf("%d %d\n", inherited, all);
}

int main(int argc, char **argv)
{
    struct sensors_options options = { .nvml_library = "", .power_model = "none" };
    AUTO(sensors) struct sensors *sensors = NULL;
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct sample first = { 0 }, last = { 0 };
    struct energy_counter counter = { 0 };
    struct err e = ERR_INIT;
    char line[64];

    if (argc > 1 && strcmp(argv[1], "--model") == 0)
        options.power_model = "auto";
    if (sensors_new(&options, &sensors, &e) < 0) {
        (void)fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "--report-fds") == 0) {
        report_fds();
        return 0;
    }
    sensors_read(sensors, NULL, 0, &first);
    energy_counter_add(&counter, &first);
    (void)puts("ok");
    (void)fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        sensors_read(sensors, NULL, 0, &last);
        energy_counter_add(&counter, &last);
        (void)puts("ok");
        (void)fflush(stdout);
    }
    once_json(&first, &last, &counter, &out);
    (void)fputs(strbuf_text(&out), stdout);
    energy_counter_done(&counter);
    sample_done(&first);
    sample_done(&last);
    return 0;
}
