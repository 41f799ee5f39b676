/* SPDX-License-Identifier: Apache-2.0 */
/* Stores whose writer ends, or is refused something, at each of its calls; whose files
   are damaged or cut anywhere. FULL=1 in the environment tries every place. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/fault/store_work.h"

static int full;

/* Fault tests sync a lot: in memory, where there is a place for it. */
static int setup(void **state)
{
    full = getenv("FULL") != NULL && *getenv("FULL");
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return unit_setup(state);
}

static void wipe(const char *path)
{
    if (access(path, F_OK) == 0)
        assert_int_equal(nftw(path, unit_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* A store that a fault was done to: sound, one of its states, no file left over, and it
   takes more. */
static void check_left(struct work *w, const char *path, const char *what, long k)
{
    struct il_error error = {{0}};
    struct il_store_info info;
    if (w->acked > 0 || il_store_exists(path)) {
        if (il_store_verify(path, work_fault, &error, NULL) != IL_OK)
            fail_msg("%s at call %ld: verify: %s", what, k, error.text);
    }
    int found = work_state(w, path, &error);
    if (found < 0)
        fail_msg("%s at call %ld: state %d of %d to %d: %s", what, k, found, w->acked,
                 w->begun, error.text);
    struct il_store_config c = work_config();
    struct il_store *s = store_open(path, &c);
    STORE_OK(il_store_put(s, "more", 4, store_row(1, 1), &error));
    STORE_OK(il_store_commit(s, &error));
    STORE_OK(il_store_seal(s, &error));
    il_store_describe(s, &info);
    size_t files = 4 + info.segments; /* MANIFEST, LOCK, basis, log */
    for (int i = 0; i < WORK_IDS; i++)
        if (store_turn(s, i) != w->turn[found][i])
            fail_msg("%s at call %ld: id %d is lost later", what, k, i);
    il_store_close(&s);
    s = store_open(path, &c);
    il_store_describe(s, &info);
    /* Files of deletions come with deletions only. */
    assert_true((size_t)work_files(path) >= files);
    assert_true((size_t)work_files(path) <= files + info.segments);
    STORE_OK(il_store_compact(s, &error));
    assert_int_equal(store_turn(s, 39), -1);
    il_store_describe(s, &info);
    assert_int_equal(work_files(path), 4 + info.segments);
    il_store_close(&s);
}

static long crash_at, crash_calls;

static int crash_hook(enum il_io_call call)
{
    (void)call;
    if (++crash_calls == crash_at)
        _exit(64);
    return 0;
}

static void exit_at_every_call(void **state)
{
    (void)state;
    struct work *w =
        mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w != MAP_FAILED);
    long k = 1;
    for (;; k++) {
        const char *path = unit_path("crash");
        wipe(path);
        work_reset(w);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            crash_at = k;
            il_io_hook = crash_hook;
            _exit(work_run(w, path) == IL_OK ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 0)
            break;
        /* The kill landed, and nothing else did. */
        assert_int_equal(WEXITSTATUS(status), 64);
        check_left(w, path, "exit", k);
    }
    assert_int_equal(w->acked, w->begun);
    assert_true(k > 100);
    print_message("# %ld calls\n", k - 1);
    munmap(w, sizeof(*w));
}

/* The second fault: the recovery of each of these is cut short as well. */
static void exit_in_the_recovery(void **state)
{
    (void)state;
    struct work *w =
        mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w != MAP_FAILED);
    for (long first = 5; first < 400; first += full ? 1 : 37)
        for (long k = 1;; k += full ? 1 : 3) {
            const char *path = unit_path("twice");
            int status = 0;
            wipe(path);
            work_reset(w);
            for (int turn = 0; turn < 2; turn++) {
                pid_t child = fork();
                assert_true(child >= 0);
                if (child == 0) {
                    struct il_store_config c = work_config();
                    struct il_store *s = NULL;
                    struct il_error error;
                    crash_at = turn == 0 ? first : k;
                    il_io_hook = crash_hook;
                    if (turn == 0)
                        _exit(work_run(w, path) == IL_OK ? 0 : 1);
                    enum il_status done = il_store_open(&s, path, &c, &error);
                    il_store_close(&s);
                    _exit(done == IL_OK ? 0 : 1);
                }
                assert_int_equal(waitpid(child, &status, 0), child);
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
            }
            check_left(w, path, "second exit", k);
            if (WEXITSTATUS(status) == 0)
                break;
        }
    munmap(w, sizeof(*w));
}

/* Runs with a verdict from call k on; returns 0 when k was past the last call. */
static int refused(struct work *w, long k, int only, int verdict, int ever)
{
    const char *path = unit_path("refused");
    wipe(path);
    work_reset(w);
    unit_fail_io(k, only, verdict, ever);
    enum il_status status = work_run(w, path);
    const long calls = unit_fault.calls;
    unit_no_faults();
    if (status != IL_OK && status != IL_EIO)
        fail_msg("verdict %d at call %ld: status %d: %s", verdict, k, (int)status,
                 w->error.text);
    if (status != IL_OK)
        assert_true(w->error.text[0]);
    check_left(w, path, ever ? "errors" : "error", k);
    return calls >= k;
}

static void errors_at_every_call(void **state)
{
    (void)state;
    static struct work w;
    const int verdicts[] = {EIO, ENOSPC};
    for (int ever = 0; ever < 2; ever++)
        for (int v = 0; v < 2; v++)
            for (long k = 1; refused(&w, k, -1, verdicts[v], ever);
                 k += full ? 1 : 3 + 2 * v)
                ;
}

static void short_and_interrupted_calls_are_nothing(void **state)
{
    (void)state;
    static struct work w;
    const int kinds[] = {IL_IO_OPEN, IL_IO_READ, IL_IO_WRITE, IL_IO_SYNC};
    (void)refused(&w, 1, IL_IO_WRITE, IL_IO_SHORT, 1);
    assert_int_equal(w.acked, WORK_LAST);
    (void)refused(&w, 1, IL_IO_READ, IL_IO_SHORT, 1);
    assert_int_equal(w.acked, WORK_LAST);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        for (long k = 1; refused(&w, k, kinds[i], EINTR, 0); k += full ? 1 : 5)
            assert_int_equal(w.acked, WORK_LAST);
}

static void memory_fails_at_every_call(void **state)
{
    (void)state;
    static struct work w;
    for (long k = 1;; k++) {
        const char *path = unit_path("starved");
        wipe(path);
        work_reset(&w);
        il_alloc_fail_at(k);
        enum il_status status = work_run(&w, path);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        if (status != IL_OK && status != IL_ENOMEM && status != IL_EIO)
            fail_msg("allocation %ld: status %d: %s", k, (int)status, w.error.text);
        if (full || k % 7 == 0 || calls < k)
            check_left(&w, path, "allocation", k);
        if (calls < k)
            break;
    }
}

static enum il_io backend; /* of read_store */
static size_t rows_read;

static enum il_status read_store(void *context)
{
    struct il_store_config c = store_config(0);
    c.io = backend;
    struct il_store *s = NULL;
    struct il_store_cursor *cursor = NULL;
    struct il_error error = {{0}};
    float rows[20 * STORE_DIM];
    const void *ids[20];
    size_t bytes[20], n = 1;
    enum il_status status = il_store_open(&s, context, &c, &error);
    if (status == IL_OK)
        status = il_store_get(s, "id-1", 4, rows, NULL, &error);
    if (status == IL_OK)
        status = il_store_get(s, "id-30", 5, rows, NULL, &error);
    if (status == IL_OK)
        status = il_store_cursor_open(&cursor, s, &error);
    rows_read = 0;
    while (status == IL_OK && n > 0) {
        status = il_store_cursor_next(cursor, 0, 20, rows, ids, bytes, &n, &error);
        rows_read += n;
    }
    il_store_cursor_close(&cursor);
    il_store_close(&s);
    if (status == IL_OK)
        status = il_store_verify(context, NULL, NULL, &error);
    return status;
}

static void readers_without_memory(void **state)
{
    (void)state;
    static struct work w;
    const char *path = unit_path("read");
    work_reset(&w);
    assert_int_equal(work_run(&w, path), IL_OK);
    assert_true(unit_starve(read_store, (void *)(uintptr_t)path) > 20);
}

/* Errors of reading, at every call of a reader. What io_uring could not read, and a file
   that cannot be read past the page cache, is tried by pread: all rows or an error. */
static void readers_that_cannot_read(void **state)
{
    (void)state;
    static struct work w;
    const char *path = unit_path("unreadable");
    long refusals = 0;
    work_reset(&w);
    assert_int_equal(work_run(&w, path), IL_OK);
    assert_int_equal(read_store((void *)(uintptr_t)path), IL_OK);
    const size_t wanted = rows_read;
    assert_true(wanted > 20);
    for (int io = IL_IO_AUTO; io <= IL_IO_PREAD; io += IL_IO_PREAD)
        for (long k = 1;; k++) {
            backend = (enum il_io)io;
            unit_fail_io(k, -1, EIO, 0);
            enum il_status status = read_store((void *)(uintptr_t)path);
            long calls = unit_fault.calls;
            unit_no_faults();
            assert_int_equal(status, status != IL_OK && calls >= k ? IL_EIO : IL_OK);
            if (status == IL_OK)
                assert_int_equal(rows_read, wanted);
            refusals += status != IL_OK;
            if (calls < k)
                break;
        }
    assert_true(refusals > 50);
    backend = IL_IO_AUTO;
}

static const int *wanted_turns;

/* What is wrong with a damaged store is found by verify, and whatever reads it gets what
   it was or an error. */
static void check_damaged(const char *path, const char *name, size_t place, int sound)
{
    struct il_error error = {{0}};
    struct il_store *s = NULL;
    float row[STORE_DIM];
    enum il_status status = il_store_verify(path, NULL, NULL, &error);
    if ((status == IL_OK) != sound)
        fail_msg("%s, place %zu: verify returns %d: %s", name, place, (int)status,
                 error.text);
    status = il_store_open(&s, path, NULL, &error);
    if (status != IL_OK) {
        assert_true(!sound && error.text[0]);
        return;
    }
    for (int i = 0; i < WORK_IDS; i++) {
        int found = 0;
        status = il_store_get(s, store_id(i), strlen(store_id(i)), row, &found, &error);
        if (status == IL_OK &&
            (wanted_turns[i] < 0 ||
             memcmp(row, store_row(i, wanted_turns[i]), sizeof(row)) != 0))
            fail_msg("%s, place %zu: a wrong row", name, place);
        if (status == IL_EARG && wanted_turns[i] >= 0)
            fail_msg("%s, place %zu: row %d is lost in silence", name, place, i);
    }
    il_store_close(&s);
}

/* A store with two segments, deletions, a basis and a log, closed; its name. */
static const char *make_small(struct work *w)
{
    const char *path = unit_path("small");
    struct il_store_config c = work_config();
    struct il_error error;
    wipe(path);
    work_reset(w);
    struct il_store *s = store_open(path, &c);
    STORE_OK(work_put(w, s, 0, 4, 0));
    STORE_OK(il_store_seal(s, &error));
    STORE_OK(work_put(w, s, 2, 6, 1));
    STORE_OK(il_store_seal(s, &error));
    STORE_OK(work_put(w, s, 5, 7, 2));
    STORE_OK(il_store_commit(s, &error));
    STORE_OK(work_remove(w, s, 3));
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
    wanted_turns = w->now;
    check_damaged(path, "", 0, 1);
    return path;
}

/* Calls each with every file of the store but LOCK. */
static void each_file(const char *path,
                      void (*each)(const char *path, const char *name, int fd,
                                   unsigned char *data, size_t bytes))
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char file[700];
        size_t bytes = 0;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "LOCK") == 0)
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        unsigned char *data = (unsigned char *)unit_get(file, &bytes);
        int fd = open(file, O_RDWR);
        assert_true(fd >= 0 && data && bytes > 0);
        each(path, e->d_name, fd, data, bytes);
        close(fd);
        free(data);
    }
    closedir(dir);
}

static void flip_file(const char *path, const char *name, int fd, unsigned char *data,
                      size_t bytes)
{
    for (size_t bit = 0; bit < 8 * bytes; bit += full ? 1 : bytes > 1000 ? 61 : 5) {
        unsigned char changed = (unsigned char)(data[bit / 8] ^ 1u << (bit % 8));
        assert_int_equal(pwrite(fd, &changed, 1, (off_t)(bit / 8)), 1);
        check_damaged(path, name, bit, 0);
        assert_int_equal(pwrite(fd, data + bit / 8, 1, (off_t)(bit / 8)), 1);
    }
}

static void every_bit_counts(void **state)
{
    (void)state;
    static struct work w;
    each_file(make_small(&w), flip_file);
}

static void cut_file(const char *path, const char *name, int fd, unsigned char *data,
                     size_t bytes)
{
    for (size_t length = 0; length < bytes; length += full || bytes < 600 ? 1 : 29) {
        assert_int_equal(ftruncate(fd, (off_t)length), 0);
        check_damaged(path, name, length, 0);
        assert_int_equal(pwrite(fd, data + length, bytes - length, (off_t)length),
                         bytes - length);
    }
    /* Longer by a byte or a page; a log may be, by what was not committed. */
    for (size_t more = 1; more <= 4096; more += 4095) {
        assert_int_equal(ftruncate(fd, (off_t)(bytes + more)), 0);
        check_damaged(path, name, bytes + more, strstr(name, ".log") != NULL);
        assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    }
}

static void every_length_counts(void **state)
{
    (void)state;
    static struct work w;
    each_file(make_small(&w), cut_file);
}

static void remove_file(const char *path, const char *name, int fd, unsigned char *data,
                        size_t bytes)
{
    char file[700], away[700];
    (void)fd;
    (void)data;
    (void)bytes;
    snprintf(file, sizeof(file), "%s/%s", path, name);
    snprintf(away, sizeof(away), "%s/away", unit_dir);
    assert_int_equal(rename(file, away), 0);
    check_damaged(path, name, 0, 0);
    /* A symbolic link to the same is not followed. */
    assert_int_equal(symlink(away, file), 0);
    check_damaged(path, name, 1, 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    check_damaged(path, name, 2, 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rename(away, file), 0);
}

static void every_file_counts(void **state)
{
    (void)state;
    static struct work w;
    each_file(make_small(&w), remove_file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_at_every_call),
        cmocka_unit_test(exit_in_the_recovery),
        cmocka_unit_test(errors_at_every_call),
        cmocka_unit_test(short_and_interrupted_calls_are_nothing),
        cmocka_unit_test(memory_fails_at_every_call),
        cmocka_unit_test(readers_without_memory),
        cmocka_unit_test(readers_that_cannot_read),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(every_length_counts),
        cmocka_unit_test(every_file_counts),
    };
    return cmocka_run_group_tests(tests, setup, unit_teardown);
}
