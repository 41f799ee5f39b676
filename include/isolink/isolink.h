/* SPDX-License-Identifier: Apache-2.0 */
/* libisolink: which vectors of two stores belong to the same document. Includes the whole
 * API. */
#ifndef ISOLINK_ISOLINK_H
#define ISOLINK_ISOLINK_H

#include <isolink/bench.h>
#include <isolink/closing.h>
#include <isolink/diff.h>
#include <isolink/doctor.h>
#include <isolink/eval.h>
#include <isolink/link.h>
#include <isolink/map.h>
#include <isolink/matrix.h>
#include <isolink/memory.h>
#include <isolink/pairs.h>
#include <isolink/search.h>
#include <isolink/seeds.h>
#include <isolink/source.h>
#include <isolink/status.h>
#include <isolink/store.h>
#include <isolink/stream.h>
#include <isolink/tail.h>
#include <isolink/transfer.h>
#include <isolink/version.h>

#endif
