/* The store: rows come back, order, what is refused and left untouched, what is set aside, bounds,
 * and that nothing is told before it was synced. Crashes and failing disks: store_crash_test.c. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "controller/state/store_folder.h"
#include "proto/base/clock.h"
#include "tests/unit/fault_vfs.h"

static void reopen(struct store_world *w)
{
    world_close(w);
    assert_int_equal(world_open(w), 0);
}

static void rows_come_back(void **state)
{
    static const struct controller_row rows[] = {
        { TABLE_OBJECT, "servedmodels/m", "{\"a\":1}" }, { TABLE_NODE, "a1", "{}" },
        { TABLE_REPLICA, "m-1", "{\"node\":\"a1\"}" },   { TABLE_META, "cluster", "{\"term\":7}" },
        { TABLE_JOURNAL, "0001", "{\"act\":\"x\"}" },    { TABLE_HISTORY, "node/a1", "[1]" },
        { TABLE_EVENT, "0001", "{\"e\":\"\xc3\xa9\"}" },
    };
    struct store_world w;

    (void)state;
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(world_count(&w, TABLE_OBJECT), 0);
    world_hand_over(&w, 'a', rows, ARRAY_LEN(rows));
    assert_int_equal(world_wait(&w), 0);
    reopen(&w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(&w, rows[i].table, rows[i].key, rows[i].value);
    assert_int_equal(w.n_rows, ARRAY_LEN(rows));
    assert_int_equal(world_put(&w, TABLE_NODE, "a1", "{\"again\":true}"), 0);
    assert_int_equal(world_put(&w, TABLE_REPLICA, "m-1", NULL), 0);
    assert_int_equal(world_put(&w, TABLE_HISTORY, "node/a1", NULL), 0);
    reopen(&w);
    assert_row(&w, TABLE_NODE, "a1", "{\"again\":true}");
    assert_row(&w, TABLE_REPLICA, "m-1", NULL);
    assert_row(&w, TABLE_HISTORY, "node/a1", NULL);
    assert_string_equal(w.warnings, "");
    world_done(&w);
}

static void files_are_private(void **state)
{
    static const char *const names[] = { "journal.db", "journal.db-wal", "history.db", "ballast" };
    char path[STORE_PATH + 64];
    struct store_world w;
    struct stat st;

    (void)state;
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(world_put(&w, TABLE_META, "k", "{}"), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(stat(world_path(&w, names[i], path), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    world_close(&w);
    assert_int_equal(chmod(world_path(&w, "journal.db", path), 0644), 0);
    assert_int_equal(world_open(&w), 0); /* a copy brought back may be open to all */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    world_done(&w);
}

/* The thread is held inside the sync of batch a; all that come meanwhile are one transaction. */
static void waiting_batches_share_one_sync_and_keep_their_order(void **state)
{
    struct controller_row row = { TABLE_NODE, "n", "0" };
    struct store_figures f;
    struct store_world w;
    char value[2] = "a";

    (void)state;
    world_init(&w);
    w.options.vfs = "fault";
    assert_int_equal(world_open(&w), 0);
    fault_hold(true);
    world_hand_over(&w, 'a', &row, 1);
    assert_true(fault_await_held());
    row.value = value; /* borrowed: all see the last one */
    for (char c = 'b'; c <= 'y'; c++) {
        value[0] = '9';
        world_hand_over(&w, c, &row, c % 5 ? 1 : 0); /* empty ones wait for their turn too */
    }
    assert_string_equal(w.order, "");
    fault_hold(false);
    assert_int_equal(world_wait(&w), 0);
    assert_string_equal(w.order, "abcdefghijklmnopqrstuvwxy");
    store_figures(w.s, &f);
    assert_int_equal(f.transactions, 2);
    assert_int_equal(f.batches, 25);
    assert_int_equal(f.waiting, 0);
    reopen(&w);
    assert_row(&w, TABLE_NODE, "n", "9");
    world_done(&w);
}

static void nothing_is_told_before_the_log_is_synced(void **state)
{
    struct store_world w;
    char value[16];

    (void)state;
    world_init(&w);
    w.options.vfs = "fault";
    assert_int_equal(world_open(&w), 0);
    for (int i = 0; i < 20; i++) {
        long syncs = fault.log_syncs;

        snprintf(value, sizeof(value), "%d", i);
        assert_int_equal(world_put(&w, TABLE_META, "k", value), 0);
        assert_true(fault.log_syncs > syncs);
        assert_int_equal(fault.writes, 0);
    }
    world_done(&w);
}

static void history_alone_waits_for_no_sync(void **state)
{
    struct store_world w;
    long syncs;

    (void)state;
    world_init(&w);
    w.options.vfs = "fault";
    assert_int_equal(world_open(&w), 0);
    syncs = fault.log_syncs;
    assert_int_equal(world_put(&w, TABLE_HISTORY, "k", "[1]"), 0);
    assert_int_equal(fault.log_syncs, syncs);
    world_done(&w);
}

/* --- what is refused ----------------------------------------------------------------------------
 */

static char *slurp(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    char *bytes;
    long n;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    n = ftell(f);
    rewind(f);
    bytes = xmalloc((size_t)n + 1);
    assert_int_equal(fread(bytes, 1, (size_t)n, f), n);
    (void)fclose(f);
    *ret_n = (size_t)n;
    return bytes;
}

static void by_hand(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void refused_untouched(struct store_world *w, const char *path, int refusal,
                              const char *text)
{
    size_t n, m;
    char *before = slurp(path, &n), *after;

    assert_int_equal(world_open(w), refusal);
    assert_non_null(strstr(w->e.text, text));
    after = slurp(path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void a_newer_version_is_left_untouched(void **state)
{
    char path[STORE_PATH + 64];
    struct store_world w;

    (void)state;
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(world_put(&w, TABLE_META, "k", "{}"), 0);
    world_close(&w);
    by_hand(world_path(&w, "journal.db", path),
            "PRAGMA user_version = 99; CREATE TABLE wonder (x)");
    refused_untouched(&w, path, STORE_NEWER, "newer huddle-controller");
    w.options.set_corrupt_aside = true;
    refused_untouched(&w, path, STORE_NEWER, "newer huddle-controller");
    by_hand(path, "PRAGMA user_version = 1; DROP TABLE wonder");
    assert_int_equal(world_open(&w), 0);
    assert_row(&w, TABLE_META, "k", "{}");
    world_done(&w);
}

static void a_database_of_another_program_is_left_untouched(void **state)
{
    char path[STORE_PATH + 64];
    struct store_world w;

    (void)state;
    world_init(&w);
    by_hand(world_path(&w, "journal.db", path), "CREATE TABLE cookies (x)");
    refused_untouched(&w, path, -EINVAL, "another program");
    world_done(&w);
}

/* By exec: what the threads of the parent held at the fork, nobody holds in the child. A checker of
 * memory would call that lost, and change the exit code. */
static _Noreturn void end_child(int code)
{
    char text[12];

    (void)snprintf(text, sizeof(text), "%d", code);
    (void)execl("/bin/sh", "sh", "-c", "exit $0", text, (char *)NULL);
    _exit(98);
}

static int open_in_child(const struct store_world *w)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct store_options o = { .ballast_bytes = 4096 };
        struct store *s = NULL;
        struct loop *l = NULL;
        int r = loop_new(&l, NULL);

        if (r == 0)
            r = store_open(w->folder, &o, l, &s, NULL);
        store_close(s);
        loop_free(l);
        end_child(r < 0 ? 99 : r);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_second_opener_is_refused(void **state)
{
    struct store_world w;
    struct store *second = NULL;
    struct err e = ERR_INIT;

    (void)state;
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(open_in_child(&w), STORE_IN_USE);
    assert_int_equal(store_open(w.folder, &w.options, w.l, &second, &e), STORE_IN_USE);
    assert_null(second);
    assert_non_null(strstr(e.text, "in use"));
    /* Neither attempt has loosened the lock of the first. */
    assert_int_equal(open_in_child(&w), STORE_IN_USE);
    assert_int_equal(world_put(&w, TABLE_META, "k", "1"), 0);
    world_close(&w);
    assert_int_equal(open_in_child(&w), 0);
    assert_int_equal(world_open(&w), 0);
    assert_row(&w, TABLE_META, "k", "1");
    world_done(&w);
}

static void network_file_systems_are_refused(void **state)
{
    (void)state;
    assert_true(store_folder_is_remote(NFS_SUPER_MAGIC));
    assert_true(store_folder_is_remote(SMB_SUPER_MAGIC));
    assert_true(store_folder_is_remote(0xff534d42));
    assert_true(store_folder_is_remote(0xfe534d42));
    assert_false(store_folder_is_remote(EXT4_SUPER_MAGIC));
    assert_false(store_folder_is_remote(TMPFS_MAGIC));
    assert_false(store_folder_is_remote(0x58465342)); /* XFS */
    assert_false(store_folder_is_remote(BTRFS_SUPER_MAGIC));
    assert_false(store_folder_is_remote(OVERLAYFS_SUPER_MAGIC));
}

static void a_folder_that_cannot_be_is_named(void **state)
{
    static char name[5000];
    struct store *none = NULL;
    struct store_world w;

    (void)state;
    world_init(&w);
    assert_int_equal(store_open("/proc/huddle/no/such", &w.options, w.l, &none, &w.e), -ENOENT);
    assert_non_null(strstr(w.e.text, "/proc/huddle/no/such"));
    memset(name, 'x', sizeof(name) - 1);
    assert_int_equal(store_open(name, &w.options, w.l, &none, &w.e), -ENAMETOOLONG);
    assert_int_equal(store_open("/dev/null", &w.options, w.l, &none, &w.e), -ENOTDIR);
    assert_null(none);
    world_done(&w);
}

/* --- damage -------------------------------------------------------------------------------------
 */

static void fill(struct store_world *w)
{
    char key[16], value[2001];

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_int_equal(world_put(w, TABLE_OBJECT, key, value), 0);
        assert_int_equal(world_put(w, TABLE_HISTORY, key, value), 0);
    }
}

/* Garbage over some pages in the middle. */
static void damage(const char *path)
{
    char junk[3 * 4096];
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    memset(junk, 0x5a, sizeof(junk));
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, sizeof(junk), 5 * 4096), sizeof(junk));
    assert_int_equal(close(fd), 0);
}

static void a_damaged_journal_is_refused_and_kept(void **state)
{
    char path[STORE_PATH + 64], found[STORE_PATH + 300];
    struct store_world w;
    size_t n, m;
    char *before, *after;

    (void)state;
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    fill(&w);
    world_close(&w);
    damage(world_path(&w, "journal.db", path));
    before = slurp(path, &n);
    refused_untouched(&w, path, STORE_CORRUPT, "is damaged");
    assert_null(world_find(&w, "journal.db.corrupt", "", found));

    w.options.set_corrupt_aside = true; /* a person said so */
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(world_count(&w, TABLE_OBJECT), 0);
    assert_non_null(strstr(w.warnings, "journal.db was damaged"));
    assert_non_null(world_find(&w, "journal.db.corrupt-", "Z", found));
    after = slurp(found, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    assert_int_equal(world_put(&w, TABLE_META, "k", "1"), 0);
    free(before);
    free(after);
    world_done(&w);
}

static void no_database_at_all_is_damage(void **state)
{
    char path[STORE_PATH + 64];
    struct store_world w;
    FILE *f;

    (void)state;
    world_init(&w);
    f = fopen(world_path(&w, "journal.db", path), "w");
    assert_non_null(f);
    for (int i = 0; i < 500; i++)
        assert_true(fputs("this is no database\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    refused_untouched(&w, path, STORE_CORRUPT, "is damaged");
    world_done(&w);
}

static void damaged_history_is_set_aside(void **state)
{
    char path[STORE_PATH + 64], found[STORE_PATH + 300];
    struct store_world w;

    (void)state;
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    fill(&w);
    world_close(&w);
    damage(world_path(&w, "history.db", path));
    assert_int_equal(world_open(&w), 0);
    assert_non_null(strstr(w.warnings, "history.db was damaged"));
    assert_non_null(world_find(&w, "history.db.corrupt-", "Z", found));
    assert_int_equal(world_count(&w, TABLE_OBJECT), 40);
    assert_int_equal(world_count(&w, TABLE_HISTORY), 0);
    assert_int_equal(world_put(&w, TABLE_HISTORY, "k", "[2]"), 0);
    reopen(&w);
    assert_row(&w, TABLE_HISTORY, "k", "[2]");
    world_done(&w);
}

static void without_history_the_rest_works(void **state)
{
    char path[STORE_PATH + 64];
    struct store_world w;

    (void)state;
    world_init(&w);
    assert_int_equal(mkdir(world_path(&w, "history.db", path), 0700), 0);
    assert_int_equal(world_open(&w), 0);
    assert_non_null(strstr(w.warnings, "no history is kept"));
    assert_int_equal(world_put(&w, TABLE_HISTORY, "k", "[2]"), 0);
    assert_int_equal(world_put(&w, TABLE_META, "k", "1"), 0);
    reopen(&w);
    assert_row(&w, TABLE_META, "k", "1");
    assert_row(&w, TABLE_HISTORY, "k", NULL);
    assert_int_equal(rmdir(path), 0);
    world_done(&w);
}

/* --- bounds -------------------------------------------------------------------------------------
 */

static void the_journal_is_kept_within_its_bytes(void **state)
{
    char key[24], value[1001];
    struct store_world w;
    int64_t oldest = INT64_MAX;
    struct controller_row row;
    size_t n = 0;

    (void)state;
    world_init(&w);
    w.options.journal_bytes = 200 * 1024;
    assert_int_equal(world_open(&w), 0);
    memset(value, 'j', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int i = 1; i <= 500; i++) {
        snprintf(key, sizeof(key), "%020d", i);
        assert_int_equal(world_put(&w, TABLE_JOURNAL, key, value), 0);
        if (i == 150)
            reopen(&w); /* what was there before counts */
    }
    reopen(&w);
    while (store_rows(w.s, &row) > 0) {
        oldest = atoll(row.key) < oldest ? atoll(row.key) : oldest;
        n++;
    }
    assert_true(n * 1020 <= w.options.journal_bytes);
    assert_true(n >= 100); /* and not much more than needed is gone */
    assert_int_equal(oldest, 500 - (int64_t)n + 1);
    world_done(&w);
}

static void only_the_newest_of_journal_and_events_are_read(void **state)
{
    struct controller_row rows[8];
    char keys[8][24];
    struct store_world w;
    int number = 0;

    (void)state;
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    for (int i = 0; i < 350; i++) {
        for (int k = 0; k < 8; k++) {
            snprintf(keys[k], sizeof(keys[k]), "%020d", ++number);
            rows[k] = (struct controller_row){ k % 2 ? TABLE_EVENT : TABLE_JOURNAL, keys[k], "{}" };
        }
        world_hand_over(&w, '.', rows, 8);
        assert_int_equal(world_wait(&w), 0);
    }
    for (int i = 0; i < 100; i++) /* 1400 each so far */
        for (int k = 0; k < 8; k++) {
            snprintf(keys[0], sizeof(keys[0]), "%020d", ++number);
            if (k == 0)
                continue;
            rows[0] = (struct controller_row){ TABLE_EVENT, keys[0], "{}" };
            world_hand_over(&w, '.', rows, 1);
            assert_int_equal(world_wait(&w), 0);
        }
    reopen(&w);
    assert_int_equal(world_count(&w, TABLE_JOURNAL), 1400);
    assert_int_equal(world_count(&w, TABLE_EVENT), STORE_NEWEST);
    snprintf(keys[0], sizeof(keys[0]), "%020d", number);
    assert_row(&w, TABLE_EVENT, keys[0], "{}");
    world_done(&w);
}

static void history_is_a_ring(void **state)
{
    char key[24], value[4001], path[STORE_PATH + 64];
    struct store_world w;
    struct stat st;

    (void)state;
    world_init(&w);
    w.options.history_bytes = 512 * 1024;
    assert_int_equal(world_open(&w), 0);
    memset(value, 'h', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof(key), "old/%d", i);
        assert_int_equal(world_put(&w, TABLE_HISTORY, key, value), 0);
        assert_int_equal(world_put(&w, TABLE_HISTORY, "always", "[0]"), 0);
        if (i == 200)
            reopen(&w);
    }
    reopen(&w);
    assert_int_equal(stat(world_path(&w, "history.db", path), &st), 0);
    assert_true(st.st_size < 1024 * 1024);
    assert_row(&w, TABLE_HISTORY, "old/399", value);
    assert_row(&w, TABLE_HISTORY, "old/0", NULL);
    assert_row(&w, TABLE_HISTORY, "always", "[0]");
    world_done(&w);
}

/* No benchmark: only that nobody made it a hundred times slower. */
static void ten_thousand_nodes_are_stored_in_seconds(void **state)
{
    static char keys[10000][24];
    struct controller_row row = { TABLE_NODE, NULL, NULL };
    char value[801];
    struct store_world w;
    int64_t begin = clock_boot_ms();

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    world_init(&w);
    assert_int_equal(world_open(&w), 0);
    for (int i = 0; i < 10000; i++) {
        snprintf(keys[i], sizeof(keys[i]), "node-%d", i);
        row.key = keys[i];
        row.value = value;
        world_hand_over(&w, '.', &row, 1);
    }
    assert_int_equal(world_wait(&w), 0);
    printf("10000 batches in %lld ms\n", (long long)(clock_boot_ms() - begin));
    assert_true(clock_boot_ms() - begin < 30000);
    reopen(&w);
    assert_int_equal(world_count(&w, TABLE_NODE), 10000);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(files_are_private),
        cmocka_unit_test(waiting_batches_share_one_sync_and_keep_their_order),
        cmocka_unit_test(nothing_is_told_before_the_log_is_synced),
        cmocka_unit_test(history_alone_waits_for_no_sync),
        cmocka_unit_test(a_newer_version_is_left_untouched),
        cmocka_unit_test(a_database_of_another_program_is_left_untouched),
        cmocka_unit_test(a_second_opener_is_refused),
        cmocka_unit_test(network_file_systems_are_refused),
        cmocka_unit_test(a_folder_that_cannot_be_is_named),
        cmocka_unit_test(a_damaged_journal_is_refused_and_kept),
        cmocka_unit_test(no_database_at_all_is_damage),
        cmocka_unit_test(damaged_history_is_set_aside),
        cmocka_unit_test(without_history_the_rest_works),
        cmocka_unit_test(the_journal_is_kept_within_its_bytes),
        cmocka_unit_test(only_the_newest_of_journal_and_events_are_read),
        cmocka_unit_test(history_is_a_ring),
        cmocka_unit_test(ten_thousand_nodes_are_stored_in_seconds),
    };

    fault_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
