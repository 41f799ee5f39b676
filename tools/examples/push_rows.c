/* SPDX-License-Identifier: Apache-2.0 */
/* Streams from your own program: rows of two files are pushed one by one, as they would
 * come from two encoders, and every link that begins or ends is printed as a line of
 * JSON once it is durable.
 *
 *     push_rows STATE A.npy B.npy SEEDS.csv [A.ids.txt B.ids.txt] > events.jsonl
 *
 * STATE is a folder, made when it is not there. SEEDS.csv holds the known pairs, a line
 * "a_id,b_id" each; without files of ids the ids are the numbers of the rows, from 0.
 * Kill it at any time and start it again: it goes on behind the last commit, and no
 * event is lost or comes twice in the state (il_events_open reads them from there). With
 * the library installed it is built by
 *
 *     cc push_rows.c -o push_rows $(pkg-config --cflags --libs isolink)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <isolink/isolink.h>
#include <isolink/stream.h>

/* Rows of a commit. A commit waits for the disk and links what came since the last one:
   1 links every row at once, more rows are cheaper by the row. */
#define COMMIT_ROWS 32

/* A side as it lies in its files. */
struct side {
    struct il_vectors *vectors;
    struct il_matrix rows;
    struct il_ids *ids;
    float *row; /* one of them as floats */
};

/* Every call that can fail returns a status and says in words what was wrong. */
static void must(enum il_status status, const struct il_error *error)
{
    if (status == IL_OK)
        return;
    fprintf(stderr, "push_rows: %s: %s\n", il_status_text(status), error->text);
    exit(1);
}

static void *get(size_t count, size_t bytes)
{
    void *block = calloc(count ? count : 1, bytes);
    if (!block) {
        fputs("push_rows: no memory\n", stderr);
        exit(1);
    }
    return block;
}

/* Ids are bytes; these come from text files, so they are printed as text. */
static void print_text(const char *name, const void *id, size_t bytes)
{
    const unsigned char *at = id;
    printf(",\"%s\":\"", name);
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] == '"' || at[i] == '\\' || at[i] < ' ')
            printf("\\u%04x", at[i]);
        else
            putchar(at[i]);
    }
    putchar('"');
}

/* Called by il_stream_commit, in order of seq, after the event is on the disk. All
   pointers in it are borrowed for the call. */
static void print_event(void *context, const struct il_event *event)
{
    size_t *count = context;
    printf("{\"seq\":%" PRIu64 ",\"event\":\"%s\",\"link_id\":\"%016" PRIx64 "\"",
           event->seq, il_event_text(event->kind), event->link_id);
    print_text("a_id", event->a_id, event->a_bytes);
    print_text("b_id", event->b_id, event->b_bytes);
    printf(",\"posterior\":%.6f,\"round\":%" PRIu32 ",\"origin\":\"%s\"}\n",
           event->posterior, event->round,
           event->origin == IL_ORIGIN_SEED ? "seed" : "link");
    ++*count;
}

/* What the library wants to be known: bootstraps that begin, end or are refused. */
static void print_log(void *context, int level, const char *text)
{
    (void)context;
    if (level < 7)
        fprintf(stderr, "push_rows: %s\n", text);
}

static void load(struct side *side, const char *vectors, const char *ids)
{
    struct il_error error;
    must(il_vectors_load(&side->vectors, vectors, &error), &error);
    side->rows = il_vectors_rows(side->vectors);
    side->row = get(side->rows.dim, sizeof *side->row);
    if (ids)
        must(il_ids_load(&side->ids, ids, side->rows.rows, &error), &error);
    else if (il_ids_number(&side->ids, side->rows.rows) != IL_OK)
        exit(1);
}

/* A stream knows seeds by id, so their rows may come whenever they like: as soon as both
   are there the pair is a link. */
static struct il_stream_seed *load_seeds(const struct side side[2], const char *path,
                                         size_t *count)
{
    struct il_pair *pair = NULL;
    struct il_error error;
    must(il_pairs_load(&pair, count, path, side[0].ids, side[1].ids, NULL, &error),
         &error);
    struct il_stream_seed *seed = get(*count, sizeof *seed);
    for (size_t i = 0; i < *count; i++) {
        const char *a = il_ids_text(side[0].ids, pair[i].a);
        const char *b = il_ids_text(side[1].ids, pair[i].b);
        seed[i] = (struct il_stream_seed){a, b, strlen(a), strlen(b)};
    }
    il_pairs_free(pair);
    return seed;
}

static void push(struct il_stream *stream, const struct side *side, int number,
                 size_t row)
{
    struct il_error error;
    const char *id = il_ids_text(side->ids, row);
    il_matrix_to_f32(&side->rows, row, 1, side->row, side->rows.dim);
    /* The same id with another vector replaces the row, and ends the link that it had
       when that is no more the best. A row of zeros is counted and left out. */
    must(il_stream_push(stream, number, id, strlen(id), side->row, NULL, &error), &error);
}

/* Pushes what an earlier run had not committed, and leaves a note of how far it is. A
   note is durable with the rows before it or later, never without them. */
static void push_all(struct il_stream *stream, const struct side side[2])
{
    struct il_error error;
    size_t bytes = 0, done = 0;
    size_t most =
        side[0].rows.rows > side[1].rows.rows ? side[0].rows.rows : side[1].rows.rows;
    const void *noted = il_stream_noted(stream, "rows", &bytes);
    if (bytes == sizeof done)
        memcpy(&done, noted, sizeof done);
    while (done < most) {
        for (int i = 0; i < 2; i++) {
            if (done < side[i].rows.rows)
                push(stream, &side[i], i, done);
        }
        done++;
        if (done % COMMIT_ROWS && done < most)
            continue;
        must(il_stream_note(stream, "rows", &done, sizeof done, &error), &error);
        must(il_stream_commit(stream, &error), &error);
        /* Here the rows are safe, and what they changed has been printed. */
        fflush(stdout);
    }
}

/* Bootstraps begin by themselves when enough rows have come, and run beside the stream.
   This one is waited for: at the end every row is judged by maps that know the others. */
static int close_round(struct il_stream *stream)
{
    struct il_error error;
    enum il_status status = il_stream_bootstrap(stream, IL_BOOTSTRAP_WARM, 1, &error);
    if (status != IL_EBOOTSTRAP) {
        must(status, &error);
        return 0;
    }
    fprintf(stderr, "push_rows: refused: %s\n", error.text);
    return 5;
}

int main(int argc, char **argv)
{
    struct side side[2] = {{0}, {0}};
    struct il_stream_config config;
    struct il_stream *stream = NULL;
    struct il_stream_info info;
    struct il_error error;
    size_t events = 0;
    if (argc != 5 && argc != 7) {
        fputs("usage: push_rows STATE A.npy B.npy SEEDS.csv [A.ids.txt B.ids.txt]\n",
              stderr);
        return 2;
    }
    for (int i = 0; i < 2; i++)
        load(&side[i], argv[2 + i], argc == 7 ? argv[5 + i] : NULL);

    il_stream_config_init(&config);
    struct il_stream_seed *seeds = load_seeds(side, argv[4], &config.seed_count);
    config.seeds = seeds;
    config.dim[0] = side[0].rows.dim;
    config.dim[1] = side[1].rows.dim;
    config.event = print_event;
    config.event_context = &events;
    config.log = print_log;
    must(il_stream_open(&stream, argv[1], &config, &error), &error);

    push_all(stream, side);
    int code = close_round(stream);
    il_stream_describe(stream, &info);
    fprintf(stderr,
            "push_rows: %" PRIu64 " and %" PRIu64 " rows, %" PRIu64
            " links, estimated precision %.3f; %zu events, the last one is %" PRIu64 "\n",
            info.rows[0], info.rows[1], info.links, info.precision, events, info.seq);
    il_stream_close(&stream);
    for (int i = 0; i < 2; i++) {
        il_vectors_close(&side[i].vectors);
        il_ids_close(&side[i].ids);
        free(side[i].row);
    }
    free(seeds);
    return fflush(stdout) == 0 && !ferror(stdout) ? code : 1;
}
