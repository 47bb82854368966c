/* Watches the sessions of courier's listeners, and terminates those that the rules name.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_WATCH_H
#define SMTPBLOCK_WATCH_H

#include "courier/slots.h"
#include "engine/enforcer.h"

/* For trigger="dnsbl". Only the background thread calls these functions, unless they say
 * otherwise.
 *
 * The rules for a listed session, in order:
 *   no-login  courier offers no login: terminate it as soon as it is seen.
 *   refused   a recipient was refused, and courier waits (tarpit) before it logs that.
 *   line      courier logs a 5xx reply of submit: engine.h.
 *   sibling   its address has been blocked on its port for WATCH_SIBLING_MS, and it did nothing
 *             in that time.
 *   pressure  listed sessions without a login take too many of the listener's slots. There are
 *             three cases. In each the oldest sessions end first, and those in which the client
 *             has not said EHLO before all others:
 *             - They take more than the share that the parameter allows: those end that have not
 *               said EHLO and are WATCH_YOUNG_MS old, and those that did nothing for
 *               WATCH_IDLE_MS, until four fifths of the share are left.
 *             - They take more than the share and two fifths of the other slots, or fewer than a
 *               tenth of the slots are free: as many end as are too many, but none that is
 *               younger than WATCH_YOUNG_MS, unless no slot is free.
 *             - They take a tenth of the slots, or did since the last time there was none: those
 *               that did nothing for WATCH_SIBLING_MS end.
 *             The address is blocked at the third time, if the session did nothing for a second,
 *               or never said EHLO.
 * A session with a login is never terminated, and nothing is blocked while one is inside the
 * entry that would be written. */
struct watch;

/* The packets of a blocked address are dropped, so its sessions cannot go on. */
#define WATCH_SIBLING_MS 10000

/* A mail client may take some seconds between two commands. Its first one is sent by a program as
 * soon as it has read the greeting. */
#define WATCH_IDLE_MS 3100
#define WATCH_YOUNG_MS 500

/* enforcer outlives the result. Returns 0 or -ENOMEM. The caller owns. */
int watch_new(struct enforcer *enforcer, struct watch **ret_watch);
void watch_free(struct watch *watch);	/* NULL is allowed */

/* Look soon: a session started. Any thread. Returns true if the background thread has to be
 * woken. */
bool watch_note(struct watch *watch);

/* Set what the functions below use. finder is NULL while courier's user is unknown. */
void watch_prepare(struct watch *watch, struct session_finder *finder);

/* Look if it is time, and apply the rules. Returns when to call again, in ms. */
int64_t watch_run(struct watch *watch);

/* The login of any session in this entry but the one of pid. Looks at new sessions first. */
enum slot_login watch_login_in(struct watch *watch, const struct cidr *entry, pid_t pid);

/* Is a login known of the session with this smtpd, on which any rule must spare it? */
bool watch_has_login(struct watch *watch, pid_t pid);

/* Call enforcer_block_delayed() once it is known that nobody in the entry is logged in, or after
 * 50 looks in which no login was seen. Counts a block that is not written. */
void watch_delay_block(struct watch *watch, const struct event *event);

/* The number of blocks that are still delayed. */
size_t watch_delayed(const struct watch *watch);

#endif
