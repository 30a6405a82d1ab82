// SPDX-License-Identifier: MIT
//
// Lines of the protocol (docs/protocol.md). A line is put together in memory and sent in one go,
// so that a fault in the middle of it leaves nothing half said; the sums for the totals line are
// kept on the way.
#pragma once

#include "ktest.h"

// Values are cut off beyond this many escaped bytes, so that a line stays below its limit.
#define STREAM_VALUE_MAX 140

void stream_begin(const char *text); // starts a line; `text` is sent as it is
void stream_text(const char *text);  // unescaped, for our own words
void stream_number(uint64_t value);
void stream_end(void); // sends the line

// " key=value", escaped.
void stream_field(const char *key, const char *value);

// The same for a whole text, at most one in a line.
#define STREAM_TEXT_MAX 480
void stream_field_text(const char *key, const char *value);
void stream_field_number(const char *key, uint64_t value);
void stream_field_hex(const char *key, uint64_t value);

// Unescaped, but with everything that is not printable ASCII as '?': for KTAP's own lines.
void stream_printable(const char *text);

// Between these the lines belong together, and the watchdog has to wait; as it has to while a line
// is on its way.
void stream_hold(void);
void stream_release(void);
bool stream_is_held(void);

// The line that is on its way is out: somebody has answered to it, before its sender got to know.
void stream_settle(void);

// What sending has taken so far.
uint64_t stream_cycles(void);

uint64_t stream_line_count(void);
uint32_t stream_crc32(void);
