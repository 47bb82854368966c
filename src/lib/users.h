/* Looks up users in the system's user database, which may take any time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_USERS_H
#define SMTPBLOCK_USERS_H

#include <stdbool.h>
#include <sys/types.h>

/* Find a user's uid. Reads files or asks a server, and waits as long as that takes. Returns
 * 0; -ENOENT: there is no such user; -ENOMEM; -errno: the database failed. Any thread. */
int users_find(const char *name, uid_t *ret_uid);

/* The same in a thread of its own, which nothing waits for. */
struct user_lookup;

/* Copies name. Starts no thread yet. Returns 0 or -ENOMEM. The caller owns. */
int user_lookup_new(const char *name, struct user_lookup **ret_lookup);

/* May be NULL. Returns false if the thread still waits for the database. It frees its memory
 * when it ends, and its code must stay mapped until then. */
bool user_lookup_free(struct user_lookup *lookup);

/* The user's name, valid as long as the lookup. */
const char *user_lookup_name(const struct user_lookup *lookup);

/* The answer that has come since the last call. If none is on its way, start the thread and
 * wait at most this many ms; otherwise do not wait. Returns 0; -ETIMEDOUT: no answer yet, call
 * again; otherwise as users_find(). One thread at a time. */
int user_lookup_ask(struct user_lookup *lookup, unsigned int wait_ms, uid_t *ret_uid);

#endif
