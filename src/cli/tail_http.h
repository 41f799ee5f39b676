/* SPDX-License-Identifier: Apache-2.0 */
/* Answers GET /metrics on a loopback port or a unix socket, from a thread of its own. */
#ifndef IL_TAIL_HTTP_H
#define IL_TAIL_HTTP_H

#include "tail_metrics.h"

struct il_http;

/** 1: this build can. */
int il_http_available(void);

/** NULL, or what is wrong with an address: wanted are 127.0.0.1:PORT, [::1]:PORT,
 * localhost:PORT (port 0: any free one) or unix:PATH. */
const char *il_http_address_fault(const char *address);

/**
 * Begins to answer. A socket that a killed process left at PATH is replaced.
 * \param why  receives what is wrong, as a text
 * \return NULL on failure
 */
struct il_http *il_http_open(const char *address, char *why, size_t why_bytes);

/** The port; 0 for a unix socket. */
unsigned il_http_port(const struct il_http *http);

/** Figures for the answers from now on; copied. */
void il_http_set(struct il_http *http, const struct il_tail_figures *figures);

/** Ends, removes the unix socket; NULL is fine. */
void il_http_close(struct il_http *http);

#endif
