/* What rsyslog's headers must see defined to describe the rsyslogd that runs.
 *
 * rsyslog's headers take these from rsyslog's own config.h, and several structs
 * have other offsets without them. Nothing at run time would notice: the
 * interface version stays the same. The compiler gets this file by -include,
 * ahead of all else, so neither CFLAGS nor our config.h can change it; configure
 * compares the layout that comes out (m4/rsyslog.m4).
 *
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_RSYSLOG_ABI_H
#define OMSMTPBLOCK_RSYSLOG_ABI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

/* Distributions build without debugging: no cookie in obj_t, no object ID in
 * cstr_t, no list of users in modInfo_t. */
#undef DEBUG
#undef NDEBUG
#define NDEBUG 1

/* With the compiler's atomics there is no mutex beside each counter. */
#undef HAVE_ATOMIC_BUILTINS
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_4
#define HAVE_ATOMIC_BUILTINS 1
#endif
#undef HAVE_ATOMIC_BUILTINS64
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_8
#define HAVE_ATOMIC_BUILTINS64 1
#endif

#undef FEATURE_REGEXP
#define FEATURE_REGEXP 1
#undef SYSLOG_INET
#define SYSLOG_INET 1
#undef OS_LINUX
#define OS_LINUX 1

/* What the C library has: rsyslog would declare or define its own. */
#undef HAVE_STRNDUP
#define HAVE_STRNDUP 1
#undef HAVE_LSEEK64
#define HAVE_LSEEK64 1
#undef HAVE_OFF64_T
#define HAVE_OFF64_T 1
#undef HAVE_PTHREAD_SETSCHEDPARAM
#define HAVE_PTHREAD_SETSCHEDPARAM 1
#undef HAVE_DECL_ASPRINTF
#define HAVE_DECL_ASPRINTF 1
#undef HAVE_DECL_VASPRINTF
#define HAVE_DECL_VASPRINTF 1

#endif
