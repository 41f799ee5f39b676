/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are followed while each system call and each allocation fails once: what
   they give stays the same, row for row. FULL=1 in the environment tries every call. */
#include "tests/unit/tail_run.h"
#include "tests/unit/test_store.h"

static struct run r;
static int full;

/* The call that fails, of those that are made while the library is called. */
static struct {
    int memory; /* an allocation, not a system call */
    int verdict;
    long at, calls;
    int on;
} fault;

static int fault_hook(enum il_io_call call)
{
    if (call == IL_IO_WATCH)
        return EMFILE;
    if (!fault.on || fault.memory)
        return 0;
    return ++fault.calls == fault.at ? fault.verdict : 0;
}

static void arm(int on)
{
    fault.on = on;
    if (!fault.memory)
        return;
    if (on) {
        il_alloc_fail_at(fault.at > fault.calls ? fault.at - fault.calls : 0);
    } else {
        fault.calls += il_alloc_calls();
        il_alloc_fail_at(0);
    }
}

/* Each of these makes changes, and lets the source give what came. */

static void rotate(struct run_mode mode)
{
    unsigned char rows[64];
    const char *path = unit_path("a.fvecs");
    run_begin_armed(&r, mode, path, arm);
    run_add_rows(path, 0, 3, 1);
    run_expect(&r, "0=0 1=1 2=2 ");
    size_t bytes = run_rows(rows, 3, 1, 1);
    run_add(path, rows, bytes - 3);
    run_expect(&r, "");
    run_add(path, rows + bytes - 3, 3);
    assert_int_equal(rename(path, unit_path("a.1")), 0);
    run_add_rows(path, 10, 2, 1);
    run_expect(&r, "3=3 4=10 5=11 ");
    run_add_rows(unit_path("a.1"), 4, 1, 1);
    run_add_rows(path, 12, 1, 1);
    run_expect(&r, "6=4 7=12 ");
    assert_int_equal(truncate(path, 0), 0);
    run_add_rows(path, 20, 1, 1);
    run_expect(&r, "8=20 ");
    assert_int_equal(rename(path, unit_path("a.2")), 0);
    run_expect(&r, "");
    run_add_rows(path, 30, 1, 1);
    run_expect(&r, "9=30 ");
    assert_int_equal(r.info.rotations, 3);
}

static void lines(struct run_mode mode)
{
    unsigned char header[128];
    const char *path = unit_path("a.csv");
    run_begin_armed(&r, mode, path, arm);
    run_add_text(path, "id,vector\na,\"[1,2]\"\nb,\"[2,2]\"\nbad\nc,\"[3,");
    run_expect(&r, "a=1 b=2 ");
    run_add_text(path, "2]\"\n");
    run_expect(&r, "c=3 ");
    assert_int_equal(r.info.bad_lines, 1);
    run_end(&r);
    path = unit_path("a.npy");
    run_npy_header(header, "<f4", 0, RUN_DIM);
    run_begin_armed(&r, mode, path, arm);
    run_add(path, header, sizeof(header));
    run_add_rows(path, 0, 2, 0);
    run_expect(&r, "0=0 1=1 ");
    run_add_rows(path, 2, 2, 0);
    run_expect(&r, "2=2 3=3 ");
}

static void drop_files(struct run_mode mode)
{
    run_begin_armed(&r, mode, unit_path("in"), arm);
    assert_int_equal(mkdir(unit_path("in"), 0777), 0);
    run_add_rows(unit_path("in/b.fvecs"), 0, 2, 1);
    run_add_rows(unit_path("in/c.fvecs"), 5, 1, 1);
    run_expect(&r, "b.fvecs:0=0 b.fvecs:1=1 c.fvecs:0=5 ");
    run_add_rows(unit_path("in/a.fvecs"), 7, 1, 1);
    run_expect(&r, "a.fvecs:0=7 ");
    run_add_rows(unit_path("in/b.fvecs"), 2, 1, 1);
    run_add_text(unit_path("in/d.jsonl"), "{\"id\": \"d\", \"vector\": [8, 1, 1]}\n");
    run_expect(&r, "b.fvecs:2=2 d=8 ");
    assert_int_equal(unlink(unit_path("in/d.jsonl")), 0);
    run_add_rows(unit_path("in/e.fvecs"), 9, 1, 1);
    run_expect(&r, "e.fvecs:0=9 ");
}

static struct il_store *s;

static void put(const char *id, float x)
{
    struct il_error error;
    float row[STORE_DIM] = {x, 1};
    STORE_OK(il_store_put(s, id, strlen(id), row, &error));
    STORE_OK(il_store_commit(s, &error));
}

static void follow_store(struct run_mode mode)
{
    struct il_error error;
    struct il_store_config c = store_config(1);
    run_begin_armed(&r, mode, unit_path("s"), arm);
    s = store_open(unit_path("s"), &c);
    put("a", 1);
    put("b", 2);
    STORE_OK(il_store_seal(s, &error));
    put("c", 3);
    run_expect(&r, "a=1 b=2 c=3 ");
    STORE_OK(il_store_remove(s, "a", 1, NULL, &error));
    put("b", 4);
    run_expect(&r, "-a b=4 ");
    if (!mode.again) {
        put("d", 5);
        STORE_OK(il_store_seal(s, &error));
        put("e", 6);
        STORE_OK(il_store_compact(s, &error));
        put("f", 7);
        run_drain(&r);
        /* Looked at in between or not. */
        assert_string_equal(r.got, "d=5 e=6 f=7 ");
        r.got[0] = 0;
        STORE_OK(il_store_remove(s, "e", 1, NULL, &error));
        STORE_OK(il_store_compact(s, &error));
        run_expect(&r, "-e ");
    }
}

static void end_case(void)
{
    run_end(&r);
    il_store_close(&s);
    assert_int_equal(unit_teardown(NULL), 0);
    assert_int_equal(unit_setup(NULL), 0);
}

static void sweep(void (*work)(struct run_mode mode), int memory, int verdict)
{
    const struct run_mode modes[] = {{1, 2}, {0, 1000}};
    for (int m = 0; m < 2; m++)
        for (long k = 1;; k += full ? 1 : 1 + k / 7) {
            fault.memory = memory;
            fault.verdict = verdict;
            fault.at = k;
            fault.calls = 0;
            il_io_hook = fault_hook;
            work(modes[m]);
            end_case();
            unit_no_faults();
            if (fault.calls < k) {
                assert_true(k > 5);
                break;
            }
        }
}

static void (*const works[])(struct run_mode mode) = {rotate, lines, drop_files,
                                                      follow_store};
#define WORKS (sizeof(works) / sizeof(*works))

static void errors_at_every_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < WORKS; i++)
        sweep(works[i], 0, EIO);
}

static void short_reads_and_interruptions(void **state)
{
    (void)state;
    for (size_t i = 0; i < WORKS; i++) {
        sweep(works[i], 0, IL_IO_SHORT);
        if (full)
            sweep(works[i], 0, EINTR);
    }
}

static void memory_fails_at_every_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < WORKS; i++)
        sweep(works[i], 1, 0);
}

static int setup(void **state)
{
    full = getenv("FULL") != NULL && *getenv("FULL");
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return unit_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_at_every_call),
        cmocka_unit_test(short_reads_and_interruptions),
        cmocka_unit_test(memory_fails_at_every_call),
    };
    return cmocka_run_group_tests(tests, setup, unit_teardown);
}
