/* Programs that wish us ill: which may be a power driver, and what they learn of secrets. */
#include "tests/unit/power_world.h"

#include <errno.h>
#include <fcntl.h>

#include "controller/power/exec_program.h"
#include "proto/base/array.h"
#include "tests/unit/emulated.h"

/* --- who may be run -----------------------------------------------------------------------------
 */

static void refused_program(struct world *w, const char *message)
{
    ask(w, POWER_WAKE);
    assert_int_equal(w->told.outcome, POWER_FAILED);
    if (!strstr(w->told.message, message))
        fail_msg("expected \"%s\" in: %s", message, w->told.message);
    assert_int_equal(count_files(w, "ran"), 0);
}

static void programs_that_others_could_change_are_refused(void **state)
{
    char path[PATH_LONG], loose[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, ": >ran");
    in(&w, "driver", path);
    assert_int_equal(chmod(path, 0757), 0);
    refused_program(&w, "chmod go-w");
    assert_int_equal(chmod(path, 0775), 0);
    refused_program(&w, "chmod go-w");
    assert_int_equal(chmod(path, 0644), 0);
    refused_program(&w, "chmod a+x");
    assert_int_equal(chmod(path, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
        refused_program(&w, "owned by uid 12345");
        assert_int_equal(chown(path, 0, 0), 0);
    }
    assert_int_equal(chmod(w.folder, 0777), 0);
    refused_program(&w, "others may write this folder");
    assert_int_equal(chmod(w.folder, 0755), 0);
    /* The folder behind a symbolic link counts as well. */
    assert_int_equal(mkdir(in(&w, "loose", loose), 0755), 0);
    assert_int_equal(chmod(loose, 0777), 0);
    assert_int_equal(rename(path, in(&w, "loose/driver", loose)), 0);
    assert_int_equal(symlink("loose/driver", path), 0);
    refused_program(&w, "others may write this folder");
    w.pool.driver.program = (char *)"driver";
    refused_program(&w, "absolute path");
    w.pool.driver.program = (char *)in(&w, "loose", loose);
    assert_int_equal(chmod(loose, 0755), 0);
    refused_program(&w, "not a file");
    w.pool.driver.program = (char *)in(&w, "no-such-driver", path);
    refused_program(&w, "No such file");
    w.pool.driver.type = (char *)"carrier-pigeon";
    refused_program(&w, "no power driver");
    world_done(&w);
}

/* The folders are those of the moment of the call. */
static void programs_from_elsewhere_are_refused(void **state)
{
    char path[PATH_LONG], ran[PATH_LONG];
    char *elsewhere = (char *)"/no/such/folder";
    struct world w;

    (void)state;
    world_init(&w, ": >ran");
    w.pool.driver.program = (char *)"/bin/true";
    refused_program(&w, "/bin/true is outside of the folders");
    w.pool.driver.program = (char *)in(&w, "link", path);
    assert_int_equal(symlink("/bin/true", path), 0);
    refused_program(&w, "is really /");
    w.pool.driver.program = w.program;
    w.list.item = &elsewhere;
    refused_program(&w, "powerDrivers.programs: /no/such/folder");
    w.list.n = 0;
    refused_program(&w, "powerDrivers.programs: none");
    w.list = (struct string_list){ w.allowed, 1 };
    ask(&w, POWER_WAKE);
    assert_int_equal(w.told.outcome, POWER_ACCEPTED);
    assert_int_equal(access(in(&w, "ran", ran), F_OK), 0);
    world_done(&w);
}

static void a_symbolic_link_in_tmp_counts_by_its_owner(void **state)
{
    char link_path[64] = "/tmp/huddle-link-XXXXXX", path[PATH_LONG];
    char *folder = (char *)"/tmp";
    const struct string_list tmp = { &folder, 1 };
    struct world w;
    int fd, r;
    struct err e = ERR_INIT;

    (void)state;
    if (geteuid() != 0)
        SKIP(__func__, "only root can give a link away");
    world_init(&w, ":");
    assert_true((fd = mkstemp(link_path)) >= 0);
    (void)close(fd);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(symlink(in(&w, "driver", path), link_path), 0);
    assert_int_equal(exec_program_open(link_path, &tmp, &fd, &e), 0);
    (void)close(fd);
    assert_int_equal(lchown(link_path, 12345, 12345), 0);
    r = exec_program_open(link_path, &tmp, &fd, &e);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(r, -EPERM);
    world_done(&w);
}

static void a_missing_interpreter_is_told(void **state)
{
    struct world w;

    (void)state;
    SKIP_UNDER_VALGRIND("it ends a process whose exec fails for its interpreter");
    world_init(&w, NULL);
    write_file(&w, "driver", 0755, "#!/no/such/shell\n");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    assert_non_null(strstr(w.told.message, "cannot be run: No such file"));
    world_done(&w);
}

static void a_program_that_cannot_run_says_why(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, NULL);
    write_file(&w, "driver", 0755,
               "\x7f"
               "ELF rubbish");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    assert_non_null(strstr(w.told.message, "cannot be run: Exec format error"));
    write_file(&w, "driver", 0755, "");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    world_done(&w);
}

/* What was checked is what is open, whatever the name means by now. */
static void a_swapped_name_changes_nothing(void **state)
{
    char path[PATH_LONG], other[PATH_LONG], text[64] = "";
    struct world w;
    int fd;

    (void)state;
    world_init(&w, NULL);
    write_file(&w, "driver", 0755, "good");
    write_file(&w, "other", 0755, "evil");
    assert_int_equal(exec_program_open(in(&w, "driver", path), &w.list, &fd, NULL), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(in(&w, "other", other), path), 0);
    assert_int_equal(read(fd, text, sizeof(text) - 1), 4);
    assert_string_equal(text, "good");
    (void)close(fd);
    world_done(&w);
}

/* --- secrets ------------------------------------------------------------------------------------
 */

#define CANARY "canary-7f3a"

static void assert_no_canary(const char *where, const char *text)
{
    if (strstr(text, "canary") || strstr(text, "7f3a"))
        fail_msg("a secret is in the %s: %s", where, text);
}

static void secrets_reach_stdin_alone_and_are_redacted(void **state)
{
    static const char body[] =
        "cat >stdin; tr '\\0' '\\n' </proc/$$/cmdline >cmdline; tr '\\0' '\\n' </proc/$$/environ "
        ">environ; grep -o canary.7f3a stdin >&2; cat stdin >&2;"
        "echo \"{\\\"message\\\":\\\"login " CANARY " failed\\\"}\"; exit 1";
    char text[8192], path[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, body);
    write_file(&w, "password", 0600, CANARY "\n");
    set(&w.pool.driver.secrets, "password", in(&w, "password", path));
    ask(&w, POWER_WAKE);
    assert_int_equal(w.told.outcome, POWER_REFUSED);
    assert_non_null(strstr(read_file(&w, "stdin", text), "\"password\":\"" CANARY "\""));
    assert_no_canary("arguments", read_file(&w, "cmdline", text));
    assert_no_canary("environment", read_file(&w, "environ", text));
    assert_no_canary("message", w.told.message);
    assert_string_equal(w.told.message, "refused: login *** failed");
    assert_no_canary("log", strbuf_text(&w.told.log));
    assert_non_null(strstr(strbuf_text(&w.told.log), "***"));
    world_done(&w);
}

/* Quotes are escaped in what the driver reads; many lines; and cuts that would leave a half. */
static void secrets_are_found_in_every_shape(void **state)
{
    char path[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, "cat >&2; exit 1");
    write_file(&w, "password", 0600, "canary\"7f3a\\q\n-----BEGIN-----\ncanary2\n");
    set(&w.pool.driver.secrets, "password", in(&w, "password", path));
    ask(&w, POWER_WAKE);
    assert_no_canary("message", w.told.message);
    assert_no_canary("log", strbuf_text(&w.told.log));

    write_file(&w, "password", 0600, CANARY);
    write_driver(&w, "head -c 16380 /dev/zero | tr '\\0' x >&2; printf " CANARY " >&2; exit 1");
    ask(&w, POWER_WAKE); /* 16 KiB end inside the secret */
    assert_non_null(strstr(strbuf_text(&w.told.log), "xxx"));
    assert_null(strstr(strbuf_text(&w.told.log), "cana"));
    write_driver(&w, "printf '%s" CANARY "' $(head -c 250 /dev/zero | tr '\\0' x) >&2; exit 1");
    ask(&w, POWER_WAKE); /* the line is cut inside it */
    assert_null(strstr(w.told.message, "cana"));
    write_driver(&w, "echo " CANARY);
    ask(&w, POWER_PROBE); /* not JSON */
    assert_no_canary("message", w.told.message);
    world_done(&w);
}

static void a_secret_that_cannot_be_read_is_named(void **state)
{
    char path[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, ": >ran");
    set(&w.pool.driver.secrets, "password", in(&w, "missing", path));
    refused_program(&w, "secrets.password");
    write_file(&w, "missing", 0600, "\xff\xfe");
    refused_program(&w, "secrets.password");
    w.secrets[0].value = (char *)"etc/passwd";
    refused_program(&w, "absolute path");
    w.secrets[0].value = (char *)"/dev/zero";
    refused_program(&w, "powerDrivers.secrets");
    assert_int_equal(symlink("/dev/zero", in(&w, "zero", path)), 0);
    w.secrets[0].value = path;
    refused_program(&w, "is really /dev/zero");
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_that_others_could_change_are_refused),
        cmocka_unit_test(programs_from_elsewhere_are_refused),
        cmocka_unit_test(a_symbolic_link_in_tmp_counts_by_its_owner),
        cmocka_unit_test(a_missing_interpreter_is_told),
        cmocka_unit_test(a_program_that_cannot_run_says_why),
        cmocka_unit_test(a_swapped_name_changes_nothing),
        cmocka_unit_test(secrets_reach_stdin_alone_and_are_redacted),
        cmocka_unit_test(secrets_are_found_in_every_shape),
        cmocka_unit_test(a_secret_that_cannot_be_read_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
