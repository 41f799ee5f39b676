/* SPDX-License-Identifier: Apache-2.0 */
/* Power is lost: what was written and not synced is lost, comes in another order, or is
   torn. A run is recorded once; then, for each moment of it, directories are made as a
   disk may hold them, and opened. With one kind of sync left out of the record this must
   fail: so each of them is needed, and the test sees it. FULL=1: more variants. */
#include <fcntl.h>

#include "tests/fault/store_work.h"

enum { EVENTS_MAX = 2000, FILES_MAX = 200, SECTOR = 512 };

static struct event {
    struct il_io_event e;
    char name[32], to[32];
    unsigned char *data;
    int acked, begun; /* states of the run when it was done */
} events[EVENTS_MAX];
static size_t event_count;
static struct work work;

static void record(const struct il_io_event *e)
{
    struct event *to = &events[event_count++];
    assert_true(event_count < EVENTS_MAX);
    *to = (struct event){.e = *e, .acked = work.acked, .begun = work.begun};
    snprintf(to->name, sizeof(to->name), "%s", e->name ? e->name : "");
    snprintf(to->to, sizeof(to->to), "%s", e->to ? e->to : "");
    if (e->call == IL_IO_WRITE) {
        to->data = malloc(e->bytes);
        memcpy(to->data, e->data, e->bytes);
    }
}

static int setup(void **state)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    if (unit_setup(state) != 0)
        return -1;
    work_reset(&work);
    il_io_watch = record;
    enum il_status status = work_run(&work, unit_path("run"));
    il_io_watch = NULL;
    return status == IL_OK ? 0 : -1;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < event_count; i++)
        free(events[i].data);
    return unit_teardown(state);
}

/* A file as it is on disk and in memory. Writes since its last sync: events by number. */
struct inode {
    unsigned char *data;
    size_t bytes;
    size_t pending[64], pending_count;
};

/* Names: as they are, as they were at the last sync of the directory, and what changed
   them since. */
struct names {
    char name[FILES_MAX][32];
    int inode[FILES_MAX];
    int count;
};

struct disk {
    struct inode inode[FILES_MAX];
    int inodes;
    struct names now, durable;
    size_t pending[64], pending_count;
    int pending_inode[64];
};

static int find_name(const struct names *n, const char *name)
{
    for (int i = 0; i < n->count; i++)
        if (strcmp(n->name[i], name) == 0)
            return i;
    return -1;
}

static void set_name(struct names *n, const char *name, int inode)
{
    int i = find_name(n, name);
    if (i < 0) {
        i = n->count++;
        assert_true(n->count < FILES_MAX);
        snprintf(n->name[i], sizeof(n->name[i]), "%s", name);
    }
    n->inode[i] = inode;
}

static void drop_name(struct names *n, const char *name)
{
    int i = find_name(n, name);
    if (i < 0)
        return;
    n->count--;
    memmove(n->name[i], n->name[n->count], sizeof(n->name[i]));
    n->inode[i] = n->inode[n->count];
}

/* Makes of a write, or of the first bytes of it, part of the data. */
static void put_bytes(struct inode *f, const struct event *e, size_t from, size_t bytes)
{
    size_t end = (size_t)e->e.offset + from + bytes;
    if (end > f->bytes) {
        f->data = realloc(f->data, end);
        assert_non_null(f->data);
        memset(f->data + f->bytes, 0, end - f->bytes);
        f->bytes = end;
    }
    if (bytes)
        memcpy(f->data + e->e.offset + from, e->data + from, bytes);
}

static void apply_write(struct inode *f, const struct event *e)
{
    if (e->e.call == IL_IO_WRITE)
        put_bytes(f, e, 0, e->e.bytes);
    else if (e->e.offset < f->bytes)
        f->bytes = (size_t)e->e.offset;
}

/* A change of names; inode: of the file that it is about. */
static void apply_name(struct names *n, const struct event *e, int inode)
{
    if (e->e.call == IL_IO_REMOVE || e->e.call == IL_IO_RENAME)
        drop_name(n, e->name);
    if (e->e.call == IL_IO_OPEN)
        set_name(n, e->name, inode);
    if (e->e.call == IL_IO_RENAME)
        set_name(n, e->to, inode);
}

/* Does event i on the disk. `without`: syncs of names that end so are left out; "" is the
   directory's. */
static void step(struct disk *d, size_t i, const char *without)
{
    const struct event *e = &events[i];
    int at = find_name(&d->now, e->name), inode = at < 0 ? -1 : d->now.inode[at];
    struct inode *f = inode < 0 ? NULL : &d->inode[inode];
    switch ((int)e->e.call) {
    case IL_IO_WRITE:
    case IL_IO_TRUNCATE:
        assert_non_null(f);
        f->pending[f->pending_count++] = i;
        assert_true(f->pending_count < 64);
        return;
    case IL_IO_SYNC:
        if (without && (*without ? strstr(e->name, without) != NULL : !e->name[0]))
            return;
        if (e->name[0]) {
            for (size_t k = 0; k < f->pending_count; k++)
                apply_write(f, &events[f->pending[k]]);
            f->pending_count = 0;
        } else {
            d->durable = d->now;
            d->pending_count = 0;
        }
        return;
    case IL_IO_OPEN:
        inode = d->inodes++;
        assert_true(inode < FILES_MAX);
        d->inode[inode] = (struct inode){0};
        break;
    default:
        break;
    }
    apply_name(&d->now, e, inode);
    d->pending[d->pending_count] = i;
    d->pending_inode[d->pending_count++] = inode;
    assert_true(d->pending_count < 64);
}

/* Writes a file as it may be: some of the pending writes, in part. how 0: all of them, 1:
   none, 2: those up to one that is torn, else any, any sectors of them. */
static void write_inode(const struct inode *f, const char *path, struct il_rng *rng,
                        unsigned how)
{
    struct inode copy = {.data = malloc(f->bytes + 1), .bytes = f->bytes};
    if (f->bytes)
        memcpy(copy.data, f->data, f->bytes);
    size_t stop = f->pending_count ? (size_t)il_rng_below(rng, f->pending_count) : 0;
    for (size_t k = 0; k < f->pending_count; k++) {
        const struct event *e = &events[f->pending[k]];
        size_t bytes = e->e.bytes;
        if (how == 1 || (how == 2 && k > stop))
            break;
        if (e->e.call == IL_IO_TRUNCATE) {
            if (how < 3 || il_rng_below(rng, 2))
                apply_write(&copy, e);
        } else if (how == 0 || (how == 2 && k < stop)) {
            put_bytes(&copy, e, 0, bytes);
        } else if (how == 2) {
            put_bytes(&copy, e, 0, (size_t)il_rng_below(rng, bytes + 1));
        } else {
            for (size_t from = 0; from < bytes; from += SECTOR)
                if (il_rng_below(rng, 2))
                    put_bytes(&copy, e, from,
                              bytes - from < SECTOR ? bytes - from : SECTOR);
        }
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, copy.data, copy.bytes), copy.bytes);
    close(fd);
    free(copy.data);
}

/* The directory as it may be. */
static void write_disk(const struct disk *d, const char *path, struct il_rng *rng,
                       unsigned how)
{
    static struct names names;
    names = d->durable;
    size_t stop = d->pending_count ? (size_t)il_rng_below(rng, d->pending_count + 1) : 0;
    for (size_t k = 0; k < d->pending_count; k++) {
        int done = how == 0   ? 1
                   : how == 1 ? 0
                   : how == 2 ? k < stop
                              : (int)il_rng_below(rng, 2);
        if (done)
            apply_name(&names, &events[d->pending[k]], d->pending_inode[k]);
    }
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < names.count; i++) {
        char file[700];
        snprintf(file, sizeof(file), "%s/%s", path, names.name[i]);
        write_inode(&d->inode[names.inode[i]], file, rng, how);
    }
}

/* All moments, `variants` of each; returns how many were not one of the states that they
   had to be. why receives the last one. */
static long lose_power(unsigned variants, const char *without, char *why)
{
    static struct disk disk;
    struct il_rng rng = il_rng_make(1, 2, 3, IL_FOR_SAMPLE);
    const char *path = unit_path("disk");
    long wrong = 0;
    memset(&disk, 0, sizeof(disk));
    for (size_t i = 0; i <= event_count; i++) {
        /* Before event i. */
        const struct event *e = &events[i < event_count ? i : event_count - 1];
        for (unsigned v = 0; v < variants; v++) {
            struct il_error error = {{0}};
            struct work allowed = work;
            write_disk(&disk, path, &rng, v < 3 ? v : 3);
            allowed.acked = i < event_count ? e->acked : work.acked;
            allowed.begun = i < event_count ? e->begun : work.begun;
            int found = work_state(&allowed, path, &error);
            if (found < 0) {
                wrong++;
                snprintf(why, 600, "event %zu, variant %u, states %d to %d: %d: %s", i, v,
                         allowed.acked, allowed.begun, found, error.text);
            }
            assert_int_equal(nftw(path, unit_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
        }
        if (i < event_count)
            step(&disk, i, without);
    }
    for (int i = 0; i < disk.inodes; i++)
        free(disk.inode[i].data);
    return wrong;
}

static void lost_power_loses_no_commit(void **state)
{
    (void)state;
    char why[600] = "";
    const char *full = getenv("FULL");
    long wrong = lose_power(full && *full ? 100 : 6, NULL, why);
    if (wrong > 0)
        fail_msg("%ld times: %s", wrong, why);
    print_message("# %zu events\n", event_count);
}

/* Each kind of sync, left out. */
static void every_sync_is_needed(void **state)
{
    (void)state;
    const char *kinds[] = {"", "MANIFEST", ".log", ".seg", ".del", "basis"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        char why[600] = "";
        if (lose_power(5, kinds[i], why) == 0)
            fail_msg("without the syncs of '%s' nothing is lost", kinds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_power_loses_no_commit),
        cmocka_unit_test(every_sync_is_needed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
