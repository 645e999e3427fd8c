/* The store under force: killed at any instant, on a disk that fails at any operation, on a full
 * disk, without memory. What was told to be durable is there, whole, and nothing else is half
 * there.
 */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "proto/base/clock.h"
#include "proto/base/random.h"
#include "tests/unit/fault_vfs.h"
#include "tests/unit/skip.h"

/* --- batches that can be checked ----------------------------------------------------------------
 * Batch number i writes i into several rows and appends itself to the journal. */

#define CHECKED_ROWS 6
#define PADDING 3000

struct numbered {
    char values[CHECKED_ROWS][PADDING + 32], key[24];
    struct controller_row rows[CHECKED_ROWS];
};

static void numbered_fill(struct numbered *b, int i)
{
    static const char *const keys[] = { "m-0", "m-1", "m-2", "m-3" };

    snprintf(b->key, sizeof(b->key), "%020d", i);
    for (int k = 0; k < CHECKED_ROWS; k++) {
        int n = snprintf(b->values[k], sizeof(b->values[k]), "%d ", i);

        memset(b->values[k] + n, 'a' + i % 26, (size_t)(PADDING - i % 7 * 100));
        b->values[k][n + PADDING - i % 7 * 100] = '\0';
        b->rows[k] = (struct controller_row){ TABLE_REPLICA, keys[k % 4], b->values[k] };
    }
    b->rows[4] = (struct controller_row){ TABLE_META, "batch", b->values[4] };
    b->rows[5] = (struct controller_row){ TABLE_JOURNAL, b->key, "{}" };
}

struct image { /* what is in an opened store */
    int batch, journal, replicas;
    bool whole;
};

static struct image image_of(struct store_world *w)
{
    struct image im = { .whole = true };
    struct controller_row row;
    int numbers[CHECKED_ROWS] = { 0 }, n = 0, newest = 0, r;

    while ((r = store_rows(w->s, &row)) > 0) {
        if (row.table == TABLE_META && strcmp(row.key, "batch") == 0)
            im.batch = atoi(row.value);
        if (row.table == TABLE_REPLICA && n < CHECKED_ROWS)
            numbers[n++] = atoi(row.value);
        if (row.table == TABLE_JOURNAL) {
            im.journal++;
            newest = atoi(row.key) > newest ? atoi(row.key) : newest;
        }
    }
    assert_int_equal(r, 0);
    im.replicas = n;
    for (int i = 0; i < n; i++)
        im.whole = im.whole && numbers[i] == im.batch;
    im.whole = im.whole && newest == im.batch && (im.batch == 0 ? n == 0 : n == 4);
    return im;
}

/* --- kill -9 ------------------------------------------------------------------------------------
 */

struct victim { /* lives in the child */
    struct store *s;
    int next, pipe;
};

struct victim_batch {
    struct victim *v;
    int number;
    struct numbered rows;
};

static void victim_commit(struct victim *v);

static void victim_told(void *data, int status, const char *why)
{
    struct victim_batch *b = data;
    struct victim *v = b->v;

    (void)why;
    if (status != 0 || write(v->pipe, &b->number, sizeof(b->number)) != sizeof(b->number))
        _exit(3);
    free(b);
    victim_commit(v);
}

static void victim_commit(struct victim *v)
{
    struct victim_batch *b = xcalloc(1, sizeof(*b));

    b->v = v;
    b->number = v->next++;
    numbered_fill(&b->rows, b->number);
    store_commit(v->s, b->rows.rows, CHECKED_ROWS, victim_told, b);
}

static void victim_live(const char *folder, int first, int pipe)
{
    struct store_options o = { .ballast_bytes = 4096 };
    struct victim v = { .next = first, .pipe = pipe };
    struct loop *l;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(&l, NULL) < 0 || store_open(folder, &o, l, &v.s, NULL) != 0)
        _exit(2);
    for (int i = 0; i < 3; i++) /* some always wait, so that groups form */
        victim_commit(&v);
    (void)loop_run(l);
    _exit(4);
}

static void a_killed_store_has_every_batch_that_was_told(void **state)
{
    struct random random = random_stream(20261123, 1, 2, 3);
    struct store_world w;
    int first = 1, kills_between = 0;

    (void)state;
    world_init(&w);
    for (int round = 0; round < 25; round++) {
        int64_t pause_us = (int64_t)random_below(&random, 60000);
        int fds[2], status, number, told = first - 1;
        struct pollfd p;
        struct image im;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        if ((pid = fork()) == 0)
            victim_live(w.folder, first, fds[1]);
        assert_true(pid > 0);
        (void)close(fds[1]);
        p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
        assert_int_equal(poll(&p, 1, 60000), 1); /* at work */
        (void)usleep((useconds_t)pause_us);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (read(fds[0], &number, sizeof(number)) == sizeof(number)) {
            assert_int_equal(number, told + 1); /* told in order */
            told = number;
        }
        (void)close(fds[0]);
        assert_int_equal(world_open(&w), 0);
        im = image_of(&w);
        assert_true(im.whole);
        assert_true(im.batch >= told);
        kills_between += im.batch > told; /* durable, and killed before it could be told */
        first = im.batch + 1;
        world_close(&w);
    }
    printf("%d batches over 25 kills, %d kills between commit and word\n", first - 1,
           kills_between);
    assert_true(first > 50);
    world_done(&w);
}

/* --- failing disk -------------------------------------------------------------------------------
 */

/* Opens, commits four batches one by one, closes; returns the last one told to be durable. */
static int scenario(struct store_world *w)
{
    static struct numbered batches[5];
    int told = 0, r = world_open(w);

    assert_true(r <= 0 || r == STORE_CORRUPT); /* a failed read may look like damage */
    if (r != 0) {
        assert_true(w->e.text[0] != '\0');
        assert_null(w->s);
        return 0;
    }
    for (int i = 1; i <= 4; i++) {
        numbered_fill(&batches[i], i);
        batches[i].rows[3].table = i == 2 ? TABLE_HISTORY : TABLE_REPLICA;
        world_hand_over(w, (char)('0' + i), batches[i].rows, CHECKED_ROWS);
        if (world_wait(w) == 0)
            told = i;
        else
            assert_true(w->status == -EIO || w->status == -ENOSPC || w->status == -ENOMEM);
    }
    world_close(w);
    return told;
}

static void empty_folder(const struct store_world *w)
{
    char path[STORE_PATH + 300];

    while (world_find(w, "journal", "", path) || world_find(w, "history", "", path) ||
           world_find(w, "ballast", "", path))
        assert_int_equal(unlink(path), 0);
}

/* Without faults: all that was told is there, nothing is half there, and it goes on. */
static void check_after(struct store_world *w, int told)
{
    struct controller_row row;
    int batch = 0, journal = 0, replicas[3] = { 0 }, r;

    assert_int_equal(world_open(w), 0);
    while ((r = store_rows(w->s, &row)) > 0) {
        if (row.table == TABLE_META)
            batch = atoi(row.value);
        if (row.table == TABLE_JOURNAL && atoi(row.key) > journal)
            journal = atoi(row.key);
        if (row.table == TABLE_REPLICA && row.key[2] < '3')
            replicas[row.key[2] - '0'] = atoi(row.value);
    }
    assert_int_equal(r, 0);
    assert_true(batch >= told);
    assert_int_equal(journal, batch);
    for (int i = 0; i < 3; i++)
        assert_int_equal(replicas[i], batch);
    assert_int_equal(world_put(w, TABLE_META, "after", "1"), 0);
    world_close(w);
}

static void fails_at_every_operation(unsigned ops, int code, bool for_ever)
{
    struct store_world w;
    long n = 0;

    world_init(&w);
    w.options.vfs = "fault";
    for (bool more = true; more; n++) {
        int told;

        fault_set(ops, n, code, for_ever);
        told = scenario(&w);
        more = fault.happened;
        fault_set(0, -1, 0, false);
        check_after(&w, told);
        if (!more)
            assert_int_equal(told, 4);
        empty_folder(&w);
        w.order[0] = w.warnings[0] = '\0';
    }
    printf("%ld operations failed\n", n - 1);
    assert_true(n > 3); /* it was used at all */
    world_done(&w);
}

static void a_failing_disk_loses_nothing_that_was_told(void **state)
{
    (void)state;
    fails_at_every_operation(FAULT_WRITE, SQLITE_IOERR_WRITE, false);
    fails_at_every_operation(FAULT_SYNC, SQLITE_IOERR_FSYNC, false);
    fails_at_every_operation(FAULT_OPEN, SQLITE_CANTOPEN, false);
    fails_at_every_operation(FAULT_READ, SQLITE_IOERR_READ, false);
    fails_at_every_operation(FAULT_CHANGE, SQLITE_IOERR_TRUNCATE, false);
}

static void a_full_disk_loses_nothing_that_was_told(void **state)
{
    (void)state;
    fails_at_every_operation(FAULT_WRITE, SQLITE_FULL, true);
    fails_at_every_operation(FAULT_WRITE, SQLITE_FULL, false);
}

static void after_a_failed_sync_nothing_is_tried_again(void **state)
{
    struct store_world w;
    long writes;

    (void)state;
    world_init(&w);
    w.options.vfs = "fault";
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(world_put(&w, TABLE_META, "k", "1"), 0);
    fault_set(FAULT_SYNC, 0, SQLITE_IOERR_FSYNC, false); /* once; the next would "succeed" */
    assert_int_equal(world_put(&w, TABLE_META, "k", "2"), -EIO);
    writes = fault.writes;
    assert_int_equal(world_put(&w, TABLE_META, "k", "3"), -EIO);
    assert_non_null(strstr(w.why, "journal.db"));
    world_hand_over(&w, 'e', NULL, 0); /* even the empty one: what it stands for may depend on k */
    assert_int_equal(world_wait(&w), -EIO);
    world_close(&w);
    assert_int_equal(fault.writes, writes); /* no checkpoint, no write at all */
    fault_set(0, -1, 0, false);
    assert_int_equal(world_open(&w), 0);
    free(world_get(&w, TABLE_META, "k"));
    world_done(&w);
}

/* Waits until the store's thread has failed `n` batches; the loop has not heard of it. */
static void await_failures(struct store_world *w, uint64_t n)
{
    struct store_figures f = { 0 };

    while (f.failures < n) {
        (void)sched_yield();
        store_figures(w->s, &f);
    }
}

static void what_builds_on_a_failed_batch_fails_too(void **state)
{
    struct controller_row row = { TABLE_META, "k", "1" };
    char path[STORE_PATH + 64];
    struct store_world w;

    (void)state;
    world_init(&w);
    w.options.vfs = "fault";
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(unlink(world_path(&w, "ballast", path)), 0);
    fault_set(FAULT_WRITE, 0, SQLITE_FULL, false);
    world_hand_over(&w, 'a', &row, 1);
    await_failures(&w, 1);
    world_hand_over(&w, 'b', &row, 1); /* the disk has room again, but b believes in a */
    world_hand_over(&w, 'c', NULL, 0);
    assert_int_equal(world_wait(&w), -ENOSPC);
    assert_string_equal(w.order, "ABC");
    world_hand_over(&w, 'd', &row, 1);
    assert_int_equal(world_wait(&w), 0);
    assert_string_equal(w.order, "ABCd");
    world_done(&w);
}

static void the_ballast_is_given_up_first(void **state)
{
    char path[STORE_PATH + 64];
    struct store_world w;
    struct stat st;

    (void)state;
    world_init(&w);
    w.options.vfs = "fault";
    assert_int_equal(world_open(&w), 0);
    assert_int_equal(stat(world_path(&w, "ballast", path), &st), 0);
    assert_true(st.st_size >= 4096 && st.st_blocks > 0);
    fault_set(FAULT_WRITE, 0, SQLITE_FULL, false);
    assert_int_equal(world_put(&w, TABLE_META, "k", "1"), 0);
    assert_int_equal(stat(path, &st), -1);
    world_close(&w);
    assert_non_null(strstr(w.warnings, "the disk is full"));
    assert_int_equal(world_open(&w), 0); /* and is back when there is room */
    assert_int_equal(stat(path, &st), 0);
    assert_row(&w, TABLE_META, "k", "1");
    world_done(&w);
}

/* --- a real full disk ---------------------------------------------------------------------------
 * In a child with a mount namespace (and a user namespace, when not root) of its own. */

enum { CHILD_FINE = 0, CHILD_NO_NAMESPACE = 77 };

static int tell(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

/* Files can only be made by users that the namespace knows. */
static int become_root_inside(void)
{
    char uids[32], gids[32];
    int r;

    snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
    snprintf(gids, sizeof(gids), "0 %u 1", getegid());
    if (unshare(CLONE_NEWUSER) < 0)
        return -errno;
    if ((r = tell("/proc/self/setgroups", "deny")) == 0 &&
        (r = tell("/proc/self/uid_map", uids)) == 0)
        r = tell("/proc/self/gid_map", gids);
    return r;
}

static int mount_small(const char *folder)
{
    int r = geteuid() == 0 ? 0 : become_root_inside();

    if (r < 0)
        return r;
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, "") < 0)
        return -errno;
    return mount("small", folder, "tmpfs", 0, "size=3m") < 0 ? -errno : 0;
}

#define CHECK(condition)           \
    do {                           \
        if (!(condition))          \
            _exit(__LINE__ % 255); \
    } while (0)

static int put_in_child(struct store_world *w, enum store_table table, const char *key,
                        const char *value)
{
    struct controller_row row = { table, key, value };

    world_hand_over(w, '.', &row, 1);
    CHECK(loop_run(w->l) == 0);
    return w->status;
}

static void fill_the_disk(struct store_world *w)
{
    static char value[60001];
    char key[16], path[STORE_PATH + 64], junk[65536] = { 1 };
    FILE *f = fopen(world_path(w, "journal-junk", path), "w");
    int stored = 0, n = 0, seen = 0;
    struct controller_row row;

    CHECK(f);
    for (int i = 0; i < 16; i++)
        CHECK(fwrite(junk, sizeof(junk), 1, f) == 1);
    CHECK(fclose(f) == 0);
    w->options.ballast_bytes = 300000;
    CHECK(world_open(w) == 0);
    memset(value, 'v', sizeof(value) - 1);
    for (n = 0; n < 200; n++) {
        snprintf(key, sizeof(key), "%d", n);
        if (put_in_child(w, TABLE_OBJECT, key, value) != 0)
            break;
        stored++;
    }
    CHECK(w->status == -ENOSPC);
    CHECK(stored > 5 && stored < 200);
    CHECK(strstr(w->warnings, "the disk is full"));
    CHECK(put_in_child(w, TABLE_OBJECT, "more", value) == -ENOSPC);
    CHECK(unlink(path) == 0); /* a person makes room */
    CHECK(put_in_child(w, TABLE_OBJECT, "room", value) == 0);
    store_close(TAKE(w->s));
    CHECK(world_open(w) == 0);
    while (store_rows(w->s, &row) > 0)
        seen += row.table == TABLE_OBJECT;
    CHECK(seen == stored + 1);
    store_close(TAKE(w->s));
    loop_free(w->l);
}

static void a_real_full_disk_fails_clearly_and_recovers(void **state)
{
    struct store_world w;
    int status;
    pid_t pid;

    (void)state;
    world_init(&w);
    if ((pid = fork()) == 0) {
        if (mount_small(w.folder) < 0)
            _exit(CHILD_NO_NAMESPACE);
        fill_the_disk(&w);
        _exit(CHILD_FINE);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    world_done(&w);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_NO_NAMESPACE)
        SKIP(__func__, "no mount namespace allowed here");
    assert_int_equal(WEXITSTATUS(status), CHILD_FINE);
}

/* --- no memory ----------------------------------------------------------------------------------
 */

static struct {
    sqlite3_mem_methods real;
    long left; /* allocations until one fails; negative: none does */
    bool happened;
} memory = { .left = -1 };

static bool memory_fails(void)
{
    long left = __atomic_load_n(&memory.left, __ATOMIC_SEQ_CST);

    if (left < 0 || __atomic_fetch_sub(&memory.left, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    memory.happened = true;
    return true;
}

static void *memory_get(int n)
{
    return memory_fails() ? NULL : memory.real.xMalloc(n);
}

static void *memory_change(void *p, int n)
{
    return memory_fails() ? NULL : memory.real.xRealloc(p, n);
}

/* Each allocation of SQLite fails once; where one round is slow (valgrind), every so many. */
static void without_memory_nothing_that_was_told_is_lost(void **state)
{
    struct store_world w;
    long n = 0, step = 1, rounds = 0;

    (void)state;
    world_init(&w);
    for (bool more = true; more; n += step, rounds++) {
        int64_t begin_ms = clock_boot_ms();
        int told;

        memory.happened = false;
        __atomic_store_n(&memory.left, n, __ATOMIC_SEQ_CST);
        told = scenario(&w);
        __atomic_store_n(&memory.left, -1, __ATOMIC_SEQ_CST);
        more = memory.happened;
        check_after(&w, told);
        empty_folder(&w);
        w.order[0] = w.warnings[0] = '\0';
        step = 1 + (clock_boot_ms() - begin_ms) / 30;
    }
    printf("%ld of %ld allocations failed\n", rounds - 1, n - step);
    assert_true(rounds > 100);
    world_done(&w);
}

static void count_memory(void)
{
    sqlite3_mem_methods mine;

    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory.real), SQLITE_OK);
    mine = memory.real;
    mine.xMalloc = memory_get;
    mine.xRealloc = memory_change;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &mine), SQLITE_OK);
    /* Otherwise small blocks come from a pool that never fails. */
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_store_has_every_batch_that_was_told),
        cmocka_unit_test(a_failing_disk_loses_nothing_that_was_told),
        cmocka_unit_test(a_full_disk_loses_nothing_that_was_told),
        cmocka_unit_test(after_a_failed_sync_nothing_is_tried_again),
        cmocka_unit_test(what_builds_on_a_failed_batch_fails_too),
        cmocka_unit_test(the_ballast_is_given_up_first),
        cmocka_unit_test(a_real_full_disk_fails_clearly_and_recovers),
        cmocka_unit_test(without_memory_nothing_that_was_told_is_lost),
    };

    count_memory();
    fault_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
