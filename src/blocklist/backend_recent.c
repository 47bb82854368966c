/* The xt_recent backend: addresses are written to a file in /proc; an iptables rule that
 * names the list drops their packets.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cidr.h"
#include "lib/jiffies.h"

/* The kernel module's name, now and before Linux 2.6.28. */
static const char *const module_names[] = { "xt_recent", "ipt_recent" };

#define MODULE_COUNT (sizeof(module_names) / sizeof(module_names[0]))

/* ip_list_tot's default. */
#define DEFAULT_CAPACITY 100

#define ROOT_SIZE 128
#define PATH_SIZE (ROOT_SIZE + SETTINGS_LIST_SIZE + 32)

struct list {
	char name[SETTINGS_LIST_SIZE];
	int fd;			/* kept open: a write takes 0.6 us, not 5.6; or -1 */
	bool recreated;		/* an open list was removed; not yet returned */
};

struct recent {
	struct backend backend;
	char net_root[ROOT_SIZE];
	char module_root[ROOT_SIZE];
	unsigned int ban_time;
	unsigned int prefix[2];	/* IPv4, IPv6 */
	struct list ipv4, ipv6;
};

static struct list *list_of(struct recent *b, int family)
{
	return family == ADDR_IPV4 ? &b->ipv4 : &b->ipv6;
}

static int copy(char *to, size_t size, const char *text)
{
	int n = snprintf(to, size, "%s", text);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int init(struct recent *b, const struct backend_config *config)
{
	int r;

	b->backend.ops = &backend_recent_ops;
	b->ban_time = config->ban_time;
	b->prefix[0] = config->ipv4_prefix;
	b->prefix[1] = config->ipv6_prefix;
	b->ipv4.fd = b->ipv6.fd = -1;
	r = copy(b->net_root, sizeof(b->net_root), config->net_root);
	if (r == 0)
		r = copy(b->module_root, sizeof(b->module_root),
			 config->module_root);
	if (r == 0)
		r = copy(b->ipv4.name, sizeof(b->ipv4.name), config->list);
	if (r == 0)
		r = copy(b->ipv6.name, sizeof(b->ipv6.name), config->list6);
	return r;
}

static int recent_open(const struct backend_config *config,
		       struct backend **ret_backend)
{
	struct recent *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	r = init(b, config);
	if (r < 0) {
		free(b);
		return r;
	}
	*ret_backend = &b->backend;
	return 0;
}

static void list_close(struct list *list)
{
	if (list->fd >= 0)
		close(list->fd);
	list->fd = -1;
}

static void recent_free(struct backend *backend)
{
	struct recent *b = (struct recent *)backend;

	if (!b)
		return;
	list_close(&b->ipv4);
	list_close(&b->ipv6);
	free(b);
}

/* Open the list's file, under either name of the module. */
static int open_file(const struct recent *b, const struct list *list, bool write)
{
	char path[PATH_SIZE];
	unsigned int i;
	int fd = -1;

	for (i = 0; i < MODULE_COUNT && fd < 0; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", b->net_root,
			 module_names[i], list->name);
		fd = write ? open(path, O_WRONLY | O_CLOEXEC) :
			     open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return -errno;
	}
	return fd < 0 ? -ENOENT : fd;
}

/* Seek to offset 0, where the kernel expects every write. This fails if the list was
 * removed, for example by a reload of the firewall: the descriptor stays dead even if the
 * list is recreated. (The inode number is no help: it may be reused.) */
static bool is_there(const struct list *list)
{
	return list->fd >= 0 && lseek(list->fd, 0, SEEK_SET) == 0;
}

/* Keep the list open if it still exists, otherwise open the current one. */
static int list_ready(const struct recent *b, struct list *list)
{
	int fd;

	if (is_there(list))
		return 0;
	if (list->fd >= 0)
		list->recreated = true;
	list_close(list);
	fd = open_file(b, list, true);
	if (fd < 0)
		return fd;
	list->fd = fd;
	return 0;
}

/* Report once that the list was recreated. */
static enum backend_result written_result(struct list *list)
{
	bool recreated = list->recreated;

	list->recreated = false;
	return recreated ? BACKEND_WRITTEN_ANEW : BACKEND_WRITTEN;
}

/* One command per write: the kernel ignores a second one. */
static int list_write(const struct list *list, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	do
		n = write(list->fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Open the list if necessary, and write the command. */
static int command(const struct recent *b, struct list *list, const char *text)
{
	int r = list_ready(b, list);

	if (r < 0)
		return r;
	r = list_write(list, text);
	/* EIO: the list was removed after list_ready(). */
	return r == -EIO ? -ENOENT : r;
}

static int recent_add(struct backend *backend, const struct backend_block *block)
{
	const struct addr *addr = &block->addr;
	struct recent *b = (struct recent *)backend;
	struct list *list = list_of(b, addr->family);
	char text[ADDR_TEXT_SIZE + 1] = "+";
	int r;

	addr_format(addr, text + 1);
	r = command(b, list, text);
	return r < 0 ? r : (int)written_result(list);
}

static int recent_check(struct backend *backend, int family)
{
	struct recent *b = (struct recent *)backend;
	struct list *list = list_of(b, family);
	int r = list_ready(b, list);

	return r < 0 ? r : (int)written_result(list);
}

/* One line of the list, as net/netfilter/xt_recent.c writes it:
 *	src=192.0.2.7 ttl: 0 last_seen: 4298106357 oldest_pkt: 2 4298106230, ..
 * where last_seen is a time in jiffies. */
static int parse_line(const char *line, struct addr *ret_addr, uint64_t *ret_seen)
{
	static const char seen[] = " last_seen: ";
	const char *digits, *text;
	size_t len;
	char *end;
	int r;

	if (strncmp(line, "src=", 4) != 0)
		return -EINVAL;
	text = line + 4;
	len = strcspn(text, " \n");
	digits = strstr(text + len, seen);
	if (!digits)
		return -EINVAL;
	*ret_seen = strtoull(digits + strlen(seen), &end, 10);
	r = addr_parse(text, len, ret_addr);
	return end == digits + strlen(seen) ? -EINVAL : r;
}

static int pass_entry(const struct recent *b, const struct jiffies_clock *clock,
		      const char *line, backend_entry_fn *fn, void *ctx)
{
	struct backend_entry entry;
	uint64_t seen;

	/* Skip lines of another form. */
	if (parse_line(line, &entry.addr, &seen) < 0)
		return 0;
	entry.age = jiffies_age(clock, seen);
	entry.left = (int64_t)b->ban_time * 1000 - entry.age;
	return fn(ctx, &entry);
}

static int pass_all(const struct recent *b, FILE *file, backend_entry_fn *fn, void *ctx)
{
	struct jiffies_clock clock;
	char *line = NULL;
	size_t room = 0;
	int r;

	r = jiffies_clock_read(&clock);
	while (r == 0 && getline(&line, &room, file) >= 0)
		r = pass_entry(b, &clock, line, fn, ctx);
	if (r == 0 && ferror(file))
		r = errno == EIO ? -ENOENT : -errno;
	free(line);
	return r;
}

static int recent_foreach(struct backend *backend, int family, backend_entry_fn *fn, void *ctx)
{
	struct recent *b = (struct recent *)backend;
	int fd = open_file(b, list_of(b, family), false), r;
	FILE *file;

	if (fd < 0)
		return fd;
	file = fdopen(fd, "r");
	if (!file) {
		r = -errno;
		close(fd);
		return r;
	}
	r = pass_all(b, file, fn, ctx);
	fclose(file);
	return r;
}

/* Stop at the wanted address. */
static int compare(void *ctx, const struct backend_entry *entry)
{
	return addr_compare(ctx, &entry->addr) == 0;
}

static int recent_drop(struct backend *backend, const struct addr *addr)
{
	struct recent *b = (struct recent *)backend;
	char text[ADDR_TEXT_SIZE + 1] = "-";

	addr_format(addr, text + 1);
	return command(b, list_of(b, addr->family), text);
}

/* The kernel accepts the removal of an address that is not on the list, so read the list
 * first. */
static int recent_remove(struct backend *backend, const struct addr *addr)
{
	struct addr wanted = *addr;
	int r = recent_foreach(backend, addr->family, compare, &wanted);

	if (r <= 0)
		return r < 0 ? r : -ESRCH;
	return recent_drop(backend, addr);
}

static int recent_flush(struct backend *backend, int family)
{
	struct recent *b = (struct recent *)backend;

	return command(b, list_of(b, family), "/");
}

static bool read_number(const char *path, unsigned long *ret_number)
{
	FILE *file = fopen(path, "re");
	int n;

	if (!file)
		return false;
	n = fscanf(file, "%lu", ret_number);
	fclose(file);
	return n == 1;
}

static size_t recent_capacity(struct backend *backend)
{
	const struct recent *b = (const struct recent *)backend;
	unsigned long total;
	char path[PATH_SIZE];
	unsigned int i;

	for (i = 0; i < MODULE_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s/parameters/ip_list_tot",
			 b->module_root, module_names[i]);
		if (read_number(path, &total) && total > 0)
			return total;
	}
	return DEFAULT_CAPACITY;
}

/* " --mask 255.255.255.0" if whole prefixes are blocked, otherwise "". */
static void format_mask(const struct recent *b, int family, char *buf, size_t size)
{
	struct addr mask = { .family = (uint8_t)family };
	unsigned int prefix = b->prefix[family == ADDR_IPV4 ? 0 : 1];
	char text[ADDR_TEXT_SIZE];

	buf[0] = '\0';
	if (prefix == addr_bits(&mask))
		return;
	memset(mask.bytes, 0xff, addr_bits(&mask) / 8);
	mask = cidr_mask(&mask, prefix);
	snprintf(buf, size, " --mask %s", addr_format(&mask, text));
}

static char *advise_missing(const struct recent *b, const char *name, int family,
			    char *buf, size_t size)
{
	const char *program = family == ADDR_IPV4 ? "iptables" : "ip6tables";
	char mask[ADDR_TEXT_SIZE + 16];

	format_mask(b, family, mask, sizeof(mask));
	snprintf(buf, size,
		 "the list %s does not exist because no firewall rule names it: type  "
		 "%s -I INPUT -p tcp --dport 25 -m recent --name %s%s --update "
		 "--seconds %u -j DROP",
		 name, program, name, mask, b->ban_time);
	return buf;
}

static char *recent_advice(const struct backend *backend, int family, int err,
			   char *buf, size_t size)
{
	const struct recent *b = (const struct recent *)backend;
	const char *name = family == ADDR_IPV4 ? b->ipv4.name : b->ipv6.name;

	if (err == ENOENT)
		return advise_missing(b, name, family, buf, size);
	if (err == EACCES || err == EPERM)
		snprintf(buf, size,
			 "no permission to write %s/%s/%s: run rsyslogd as root, or "
			 "load xt_recent with the options  ip_list_uid=UID "
			 "ip_list_perms=0600  for the user that rsyslogd runs as",
			 b->net_root, module_names[0], name);
	else if (err == ENOSPC)
		snprintf(buf, size,
			 "the list %s is too small, so the kernel drops its oldest "
			 "addresses: write  options xt_recent ip_list_tot=5000  into "
			 "/etc/modprobe.d/xt_recent.conf and load the module again; "
			 "if it is built into the kernel, boot with "
			 "xt_recent.ip_list_tot=5000",
			 name);
	else
		snprintf(buf, size, "the list %s cannot be written: %s", name,
			 strerrordesc_np(err));
	return buf;
}

const struct backend_ops backend_recent_ops = {
	.name = "recent",
	.evicts_oldest = true,
	.open = recent_open,
	.add = recent_add,
	.check = recent_check,
	.drop = recent_drop,
	.remove = recent_remove,
	.flush = recent_flush,
	.foreach = recent_foreach,
	.capacity = recent_capacity,
	.advice = recent_advice,
	.free = recent_free,
};
