/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the log of a state: events, notes, rounds, seeds. See formats/events.md. */
#ifndef IL_EVENT_FRAME_H
#define IL_EVENT_FRAME_H

#include <isolink/stream.h>

#include "src/io/bytes.h"

#define IL_EVENT_HEADER_BYTES 64u
/* What stands before the records of a frame. */
#define IL_EVENT_FRAME_HEAD 64u
#define IL_NOTE_NAME_MAX 255u
#define IL_NOTE_BYTES_MAX 4096u

/** What a log is; every frame depends on it. */
struct il_event_info {
    unsigned char uuid[16];
    uint64_t salt; /**< of it: il_event_salt */
};
void il_event_salt(struct il_event_info *info);
/** Writes IL_EVENT_HEADER_BYTES bytes. */
void il_event_encode_header(const struct il_event_info *info, unsigned char *out);
/** XXH3-64 of the bytes of a_id, a zero byte, the bytes of b_id. */
uint64_t il_event_link_id(const void *a_id, size_t a_bytes, const void *b_id,
                          size_t b_bytes);

/* The first three are those of il_event_kind. */
enum il_event_record_kind {
    IL_RECORD_LINK = 1,
    IL_RECORD_CONFIRM = 2,
    IL_RECORD_RETRACT = 3,
    IL_RECORD_NOTE = 4,
    IL_RECORD_ROUND = 5,
    IL_RECORD_SEED = 6
};

/** One record. Of an event and a seed a and b are the ids; of a note its name and data.
 */
struct il_event_record {
    enum il_event_record_kind kind;
    enum il_origin origin;      /**< of an event */
    uint32_t round;             /**< of an event and a round */
    double posterior;           /**< of an event */
    const unsigned char *a, *b; /**< borrowed */
    size_t a_bytes, b_bytes;
};

/** Bytes of a record of this kind; 0 when it cannot be. */
size_t il_event_record_bytes(enum il_event_record_kind kind, size_t a_bytes,
                             size_t b_bytes);
/** Writes il_event_record_bytes bytes. */
void il_event_record_encode(const struct il_event_record *r, unsigned char *out);
/** Bytes of the record at p, which r then describes; 0: there is none. */
size_t il_event_record_decode(const unsigned char *p, size_t bytes,
                              struct il_event_record *r);

/** A frame: what is there whole or not at all. */
struct il_event_frame {
    uint64_t offset;           /**< in the log */
    uint64_t synced;           /**< so many bytes of the log were durable before it */
    uint64_t bytes;            /**< of the whole frame */
    uint64_t seq;              /**< of the last event before it */
    int64_t time_ns;           /**< of its commit */
    uint32_t records;          /**< in it */
    const unsigned char *data; /**< the records; borrowed */
    size_t data_bytes;
};

/** Writes the head of a frame whose records stand at p + IL_EVENT_FRAME_HEAD; data is not
 * read. */
void il_event_frame_seal(const struct il_event_info *info, const struct il_event_frame *f,
                         unsigned char *p);

/** Reads a log from front to back. */
struct il_event_reader {
    struct il_bytes bytes; /**< its size may be set anew when the file has grown */
    struct il_event_info info;
    uint64_t next;         /**< where the next frame begins */
    uint64_t seq;          /**< of the last event before it */
    uint64_t synced;       /**< what the frames so far say was durable */
    unsigned char *buffer; /**< of the last frame; il_alloc'd */
    size_t room;
};

/**
 * Checks the header.
 * \param bytes  copied; what it points to is borrowed until close
 * \return IL_OK; IL_EFORMAT: no log; IL_ECORRUPT; IL_EVERSION; IL_EIO
 */
IL_MUST_CHECK enum il_status il_event_reader_open(struct il_event_reader *out,
                                                  const struct il_bytes *bytes,
                                                  struct il_error *error);
/** Frees; a zeroed one is fine. */
void il_event_reader_close(struct il_event_reader *reader);

/**
 * The next frame; *more 0 where no whole, sound one begins: at the end, or at damage.
 * Borrowed until the next call. All of its records are sound.
 * \return IL_OK; IL_ECORRUPT: a sound frame that holds what none may; IL_EIO; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_event_reader_next(struct il_event_reader *reader,
                                                  struct il_event_frame *frame, int *more,
                                                  struct il_error *error);

/**
 * Judges the place where no frame begins: a sound head of a frame behind it may say that
 * the place was durable once. *proof: where that frame is, 0: none is, so that what is
 * there is the tail of a writer that was killed, or that still writes. IL_EIO; IL_ENOMEM.
 */
IL_MUST_CHECK enum il_status il_event_reader_proof(struct il_event_reader *reader,
                                                   uint64_t *proof,
                                                   struct il_error *error);
/** IL_ECORRUPT, for a proof that was found. */
enum il_status il_event_damaged(const struct il_event_reader *reader, uint64_t proof,
                                struct il_error *error);

#endif
