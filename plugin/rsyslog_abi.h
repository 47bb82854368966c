/* The macros that rsyslog's headers need to describe the rsyslogd that runs.
 *
 * In rsyslog they come from its own config.h. Without them several structs have other
 * offsets, and nothing would notice at run time: the interface version stays the same. The
 * compiler includes this file first (-include), so neither CFLAGS nor our config.h can
 * override it; configure checks the resulting layout (m4/rsyslog.m4).
 *
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_RSYSLOG_ABI_H
#define OMSMTPBLOCK_RSYSLOG_ABI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

/* Distributions build without debugging: obj_t has no cookie, cstr_t no object ID,
 * modInfo_t no list of users. */
#undef DEBUG
#undef NDEBUG
#define NDEBUG 1

/* With compiler atomics there is no mutex beside each counter. */
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

/* The C library has these. Otherwise rsyslog would declare or define its own. */
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
