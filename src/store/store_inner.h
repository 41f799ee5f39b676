/* SPDX-License-Identifier: Apache-2.0 */
/* What the files store*.c share; README.md in this folder tells the rules. */
#ifndef IL_STORE_INNER_H
#define IL_STORE_INNER_H

#include <isolink/store.h>

#include <pthread.h>
#include <stdatomic.h>

#include "formats/log.h"
#include "formats/manifest.h"
#include "formats/segment.h"
#include "src/io/dir.h"

#define STORE_MANIFEST "MANIFEST"
#define STORE_MANIFEST_NEW "MANIFEST.tmp"
#define STORE_BASIS "basis"
#define STORE_LOCK "LOCK"
/* "00000012.seg" */
#define STORE_NAME 16
/* Largest files that are read whole. */
#define STORE_SMALL_MAX ((uint64_t)1 << 34)

/* Writes the name of a numbered file: ending "seg", "del" or "log". */
void il_store_name(uint32_t number, const char *ending, char *out);

/* A segment that is open. Cursors hold it too; the last one closes it. What stands below
   `segment` belongs to the store and its mutex. */
struct il_part {
    atomic_uint refs;
    struct il_manifest_segment entry; /* as in the manifest; del 0 in a new one */
    char shown[IL_DIR_SHOWN];
    struct il_file file;
    struct il_map map;
    struct il_segment *segment;
    unsigned char *bits; /* rows that are deleted; NULL: none was ever */
    uint64_t deleted;
    int changed; /* bits are not those of the manifest */
};

/* Opens a segment and compares it with its entry, deletions too. *missing as in
   il_dir_file. fresh: it was just written, the entry holds its number alone and is
   filled in. */
IL_MUST_CHECK enum il_status il_part_open(struct il_part **out, const struct il_dir *dir,
                                          const struct il_manifest *m,
                                          const struct il_manifest_segment *entry,
                                          int fresh, int *missing,
                                          struct il_error *error);
/* IL_ECORRUPT unless an open segment is the one that the manifest means. */
IL_MUST_CHECK enum il_status il_part_check(const struct il_segment *segment,
                                           const char *shown, const struct il_manifest *m,
                                           const struct il_manifest_segment *entry,
                                           struct il_error *error);
struct il_part *il_part_hold(struct il_part *part);
void il_part_drop(struct il_part **part);
/* Live row of an id, or IL_SEGMENT_NONE. */
uint64_t il_part_find(const struct il_part *part, const void *id, size_t id_bytes);
static inline int il_bit(const unsigned char *bits, uint64_t row)
{
    return bits ? bits[row / 8] >> (row % 8) & 1 : 0;
}
/* Makes room for bits; IL_ENOMEM. Then il_part_delete cannot fail. */
IL_MUST_CHECK enum il_status il_part_reserve(struct il_part *part,
                                             struct il_error *error);
void il_part_delete(struct il_part *part, uint64_t row);

/* 1: a name that only a store gives. */
int il_store_own_name(const char *name);

/* Reads a whole file of the directory. */
IL_MUST_CHECK enum il_status il_store_load(const struct il_dir *dir, const char *name,
                                           unsigned char **out, size_t *bytes,
                                           int *missing, struct il_error *error);
/* Writes a new file, synced; IL_EIO. */
IL_MUST_CHECK enum il_status il_store_save(const struct il_dir *dir, const char *name,
                                           const void *data, size_t bytes,
                                           struct il_error *error);

/* The log file, for as long as somebody reads rows of it. */
struct il_log_file {
    atomic_uint refs;
    char name[STORE_NAME], shown[IL_DIR_SHOWN];
    struct il_out out; /* of a reader too, which does not write */
    struct il_log_info info;
};
struct il_log_file *il_log_file_hold(struct il_log_file *file);
void il_log_file_drop(struct il_log_file **file);

/* Ids of the log: the place of the last row of each. */
struct il_log_row {
    uint64_t offset;  /* of its record */
    uint64_t text_at; /* of the id */
    uint32_t id_bytes;
    uint32_t live; /* 0: removed */
};
struct il_log_index {
    struct il_log_row *rows;
    size_t count, room, live;
    unsigned char *text;
    size_t text_used, text_room;
    uint32_t *slots; /* row + 1; 0: free */
    size_t slot_count;
};
/* Makes room for one more id of this length; IL_ENOMEM. Then il_log_index_put cannot
   fail. */
IL_MUST_CHECK enum il_status il_log_index_reserve(struct il_log_index *index,
                                                  size_t id_bytes);
void il_log_index_put(struct il_log_index *index, const void *id, size_t id_bytes,
                      uint64_t offset);
/* The live row of an id, or NULL. */
struct il_log_row *il_log_index_find(const struct il_log_index *index, const void *id,
                                     size_t id_bytes);
void il_log_index_remove(struct il_log_index *index, struct il_log_row *row);
void il_log_index_free(struct il_log_index *index);

/* Segments being written: one after the other, each opened when it is whole. */
struct il_build {
    struct il_store *store;
    struct il_segment_writer *writer; /* of the current one; NULL: none */
    struct il_out out;
    char name[STORE_NAME], shown[IL_DIR_SHOWN];
    uint32_t number;
    size_t rows_max;
    struct il_part **parts; /* that are whole */
    size_t count, room;
};

struct il_store {
    struct il_store_config config; /* model, mean, basis are not used */
    char *path;
    struct il_dir dir;
    int lock_fd; /* -1: a reader */
    struct il_manifest m;
    float *mean, *basis; /* NULL without */
    struct il_segment_image *image;
    float *stored;         /* a row of stored_dim, for il_store_get; under reading */
    unsigned char *record; /* room for one of the log; under mutex */

    /* Order of locks: mutex alone, or reading alone. */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* something below that a thread waits for */
    enum il_status poison;  /* not IL_OK: a write failed, nothing may follow */
    struct il_error poison_error;
    struct il_part **parts; /* m.count of them */
    struct il_log_file *log;
    struct il_log_index index;
    unsigned char *active, *flying; /* what goes to the log, and what is on its way */
    size_t active_bytes, flying_bytes, buffer_bytes;
    uint64_t active_at; /* place of active[0] in the log; the flying bytes end there */
    uint64_t committed; /* end of the last record of a commit */
    uint64_t written, synced;
    uint64_t since; /* records since the last commit */
    int leading;    /* a thread writes or syncs the log, without the mutex */
    int gathering;  /* a thread waits for the commits of others before it leads */
    unsigned gathered, group; /* commits since the last turn, and in it */
    double sync_seconds;      /* of the last sync */
    pthread_cond_t arrived;   /* as many have gathered as the last turn had */
    struct il_build *bulk;
    pthread_t ticker; /* syncs at intervals */
    int ticking, stop;

    pthread_mutex_t reading; /* the two below, and stored */
    struct il_segment_decoder *decoder;
    struct il_part *decoder_part;
};

/* Values brought back through the basis: dim floats from stored_dim. */
void il_store_restore(const struct il_store *s, const float *stored, float *out);

/* All below with the mutex held. */

/* The error of a poisoned store, or IL_OK. */
IL_MUST_CHECK enum il_status il_store_check(const struct il_store *s,
                                            struct il_error *error);
/* Poisons, with the text in error; returns status. */
enum il_status il_store_poison(struct il_store *s, enum il_status status,
                               struct il_error *error);
/* Makes room in the log's buffer, waiting with the mutex let go. */
IL_MUST_CHECK enum il_status il_store_room(struct il_store *s, size_t bytes,
                                           struct il_error *error);
/* Appends a record for which there is room. Returns its place. */
uint64_t il_store_append(struct il_store *s, enum il_log_kind kind, const void *id,
                         size_t id_bytes, const float *row);
/* Commits what there is and brings it to the file, synced when sync; others wait. */
IL_MUST_CHECK enum il_status il_store_settle(struct il_store *s, int sync,
                                             struct il_error *error);
/* Brings what is in the buffers to the file, committed or not. */
IL_MUST_CHECK enum il_status il_store_flush(struct il_store *s, struct il_error *error);
/* Copies the record of a row into s->record and checks it. */
IL_MUST_CHECK enum il_status il_store_fetch(struct il_store *s,
                                            const struct il_log_row *row,
                                            struct il_log_record *out,
                                            struct il_error *error);
/* Notes that a row was put or removed: what it replaces is marked as deleted. Room must
   have been reserved by il_store_ready. */
IL_MUST_CHECK enum il_status il_store_ready(struct il_store *s, const void *id,
                                            size_t id_bytes, struct il_part **part,
                                            uint64_t *row, struct il_error *error);
int il_store_apply(struct il_store *s, enum il_log_kind kind, const void *id,
                   size_t id_bytes, uint64_t offset, struct il_part *part, uint64_t row);

/* Starts an empty log of a new number, synced. */
IL_MUST_CHECK enum il_status
il_store_new_log(struct il_store *s, struct il_log_file **out, struct il_error *error);
/* A number for a new file; IL_ELIMIT when all are used. */
IL_MUST_CHECK enum il_status il_store_number(struct il_store *s, uint32_t *out,
                                             struct il_error *error);
/* Makes these parts and this log the store, by a new manifest, and removes what is no
   longer part of it. parts are given; those of before that are not among them are
   dropped. The caller poisons on failure. */
IL_MUST_CHECK enum il_status il_store_publish(struct il_store *s, struct il_part **parts,
                                              size_t count, struct il_log_file *log,
                                              uint64_t log_synced,
                                              struct il_error *error);
/* Writes a manifest in the place of the old one. */
IL_MUST_CHECK enum il_status il_store_write_manifest(const struct il_dir *dir,
                                                     const struct il_manifest *m,
                                                     struct il_error *error);
/* Moves the log into a segment; what was put is committed first. */
IL_MUST_CHECK enum il_status il_store_seal_now(struct il_store *s,
                                               struct il_error *error);

/* Without the mutex: the thread that syncs at intervals. */
IL_MUST_CHECK enum il_status il_store_start_ticker(struct il_store *s,
                                                   struct il_error *error);
void il_store_stop_ticker(struct il_store *s);

/* By one thread, with the mutex or without: */
void il_build_open(struct il_build *b, struct il_store *s, size_t rows_max);
IL_MUST_CHECK enum il_status il_build_push(struct il_build *b, const void *id,
                                           size_t id_bytes, const float *row,
                                           struct il_error *error);
IL_MUST_CHECK enum il_status il_build_push_stored(struct il_build *b, const void *id,
                                                  size_t id_bytes, const void *block,
                                                  size_t row, float scale, float norm,
                                                  struct il_error *error);
/* Makes the current segment whole and opens it. */
IL_MUST_CHECK enum il_status il_build_end(struct il_build *b, struct il_error *error);
/* Closes; removes the files of parts that it still has. */
void il_build_close(struct il_build *b);

#endif
