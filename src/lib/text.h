/* Text of others, copied to where it is shown.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TEXT_H
#define SMTPBLOCK_TEXT_H

#include <stddef.h>

/* Copy len bytes of text to buf and terminate them; what does not fit in size, which is at
 * least 1, is cut. text may be NULL if len is 0. Returns buf. Any thread. */
char *text_copy(const char *text, size_t len, char *buf, size_t size);

/* The same, with '?' for every byte that is not printable ASCII. buf may be text. */
char *text_clean(const char *text, size_t len, char *buf, size_t size);

#endif
