/* The backend of the kernel's xt_recent lists, on files that play them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/jiffies.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

static const struct backend_ops *const ops = &backend_recent_ops;

/* Of each point: a backend, and a list for each family. */
static struct fakelists lists;
static struct backend *backend;

static struct backend_config config_of_lists(void)
{
	return (struct backend_config){
		.list = "spammer",
		.list6 = "spammer6",
		.ban_time = 600,
		.ipv4_prefix = 32,
		.ipv6_prefix = 128,
		.net_root = lists.net_root,
		.module_root = lists.module_root,
	};
}

static void setup(void)
{
	struct backend_config config;

	fakelists_open(&lists);
	config = config_of_lists();
	fakelists_make(&lists, "xt_recent/spammer");
	fakelists_make(&lists, "xt_recent/spammer6");
	want_int(ops->open(&config, &backend), 0);
}

static void teardown(void)
{
	ops->free(backend);
	backend = NULL;
	fakelists_close(&lists);
}

TEST_EACH(setup, teardown)

static void remove_lists(void)
{
	fakelists_remove(&lists, "xt_recent/spammer");
	fakelists_remove(&lists, "xt_recent/spammer6");
}

static void recreate_list(void)
{
	fakelists_remove(&lists, "xt_recent/spammer");
	fakelists_make(&lists, "xt_recent/spammer");
}

/* The lists of an old kernel in their place. */
static void rename_lists(void)
{
	remove_lists();
	fakelists_make(&lists, "ipt_recent/spammer");
	fakelists_make(&lists, "ipt_recent/spammer6");
}

static int add(const char *text)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return ops->add(backend, &(struct backend_block){ .addr = addr });
}

TEST(writes_each_family_to_its_list)
{
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_int(add("2001:db8::7"), BACKEND_WRITTEN);
	want_int(add("::ffff:198.51.100.7"), BACKEND_WRITTEN);
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer", "+192.0.2.7\n+198.51.100.7\n+192.0.2.7\n");
	want_list(&lists, "xt_recent/spammer6", "+2001:db8::7\n");
}

/* Opening a list for each write costs ten times as much as the write. */
TEST(keeps_lists_open)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		want_int(add("192.0.2.7"), BACKEND_WRITTEN);
		want_int(add("2001:db8::7"), BACKEND_WRITTEN);
		want_int(ops->check(backend, ADDR_IPV4), BACKEND_WRITTEN);
	}
	want_int(fakelists_opened(), 2);
}

TEST(old_kernels_name_is_tried)
{
	rename_lists();
	want_int(ops->check(backend, ADDR_IPV6), BACKEND_WRITTEN);
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_list(&lists, "ipt_recent/spammer", "+192.0.2.7\n");
	want_list(&lists, "xt_recent/spammer", NULL);
}

TEST(todays_name_goes_first)
{
	rename_lists();
	fakelists_make(&lists, "xt_recent/spammer");
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer", "+192.0.2.7\n");
	want_list(&lists, "ipt_recent/spammer", "");
}

TEST(missing_list_is_reported_and_found_later)
{
	remove_lists();
	want_int(add("192.0.2.7"), -ENOENT);
	want_int(ops->check(backend, ADDR_IPV4), -ENOENT);
	fakelists_make(&lists, "xt_recent/spammer");
	/* Nothing was put on it before, so nothing is lost. */
	want_int(ops->check(backend, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(add("192.0.2.8"), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer", "+192.0.2.8\n");
}

TEST(one_missing_never_stops_the_other)
{
	remove_lists();
	fakelists_make(&lists, "xt_recent/spammer6");
	want_int(add("192.0.2.7"), -ENOENT);
	want_int(add("2001:db8::7"), BACKEND_WRITTEN);
	want_int(ops->check(backend, ADDR_IPV4), -ENOENT);
	want_int(ops->check(backend, ADDR_IPV6), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer6", "+2001:db8::7\n");
}

TEST(removed_list_is_reported)
{
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	fakelists_remove(&lists, "xt_recent/spammer");
	want_int(add("192.0.2.8"), -ENOENT);
	want_int(ops->check(backend, ADDR_IPV4), -ENOENT);
	want_int(add("2001:db8::7"), BACKEND_WRITTEN);
	fakelists_make(&lists, "xt_recent/spammer");
	want_int(add("192.0.2.8"), BACKEND_WRITTEN_ANEW);
	want_int(add("192.0.2.9"), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer", "+192.0.2.8\n+192.0.2.9\n");
}

/* An unnoticed reload of the firewall. */
TEST(recreated_list_is_reported_once)
{
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	recreate_list();
	want_int(ops->check(backend, ADDR_IPV4), BACKEND_WRITTEN_ANEW);
	want_int(ops->check(backend, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(add("192.0.2.8"), BACKEND_WRITTEN);
	want_int(ops->check(backend, ADDR_IPV6), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer", "+192.0.2.8\n");
}

TEST(removed_list_is_closed)
{
	size_t before = descriptors_open();

	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	recreate_list();
	want_int(add("192.0.2.7"), BACKEND_WRITTEN_ANEW);
	want_int(descriptors_open(), before + 1);
}

/* Without a report the caller could not put back lost blocks. */
TEST(recreation_is_reported_although_the_first_write_failed)
{
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	recreate_list();
	fakelists_fail_writes(ENOMEM, 1);
	want_int(add("192.0.2.8"), -ENOMEM);
	want_int(add("192.0.2.8"), BACKEND_WRITTEN_ANEW);
}

/* A failing write, and the result of the next one. */
static const struct write_row {
	const char *label;
	int err, want;
	const char *list;
} write_rows[] = {
	{ "removed meanwhile", EIO, -ENOENT, "+192.0.2.8\n" },
	{ "taken in part", 0, -ENOENT, "+192.0.2.8\n" },
	{ "refused", EINVAL, -EINVAL, "+192.0.2.8\n" },
	{ "no memory", ENOMEM, -ENOMEM, "+192.0.2.8\n" },
	{ "interrupted", EINTR, BACKEND_WRITTEN, "+192.0.2.7\n+192.0.2.8\n" },
};

TEST_ROWS(failed_write, write_rows)
{
	fakelists_fail_writes(row->err, 1);
	want_int(add("192.0.2.7"), row->want);
	want_int(add("192.0.2.8"), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer", row->list);
}

/* root may write anything, so another user tries. */
static int add_without_right(void)
{
	bool is_root = geteuid() == 0;
	char path[200];
	int r;

	snprintf(path, sizeof(path), "%s/xt_recent/spammer", lists.net_root);
	want_int(chmod(path, 0400), 0);
	if (is_root)
		want_int(seteuid(65534), 0);
	r = add("192.0.2.7");
	if (is_root)
		want_int(seteuid(0), 0);
	want_int(chmod(path, 0600), 0);
	return r;
}

TEST(missing_capability_is_reported)
{
	/* The old kernels' name is no way out. */
	fakelists_make(&lists, "ipt_recent/spammer");
	want_int(add_without_right(), -EACCES);
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/spammer", "+192.0.2.7\n");
	want_list(&lists, "ipt_recent/spammer", "");
}

/* The list as the kernel shows it: each line's address, and for how many seconds
 * it has not been seen. */
struct shown {
	const char *src;
	unsigned int age;
};

static void show(const char *path, const struct shown *shown, size_t count)
{
	struct jiffies_clock clock;
	char whole[200], text[1024] = "";
	uint64_t seen;
	size_t i;

	want_int(jiffies_clock_read(&clock), 0);
	for (i = 0; i < count; i++) {
		seen = clock.now - (uint64_t)shown[i].age * clock.hz;
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "src=%s ttl: 0 last_seen: %ju oldest_pkt: 2 %ju, %ju\n",
			 shown[i].src, (uintmax_t)seen, (uintmax_t)(seen - 100),
			 (uintmax_t)seen);
	}
	snprintf(whole, sizeof(whole), "%s/%s", lists.net_root, path);
	temp_file_write(whole, text);
}

/* The reports of each(): "ADDR AGE LEFT" in seconds, one per line. */
struct reported {
	char text[512];
	unsigned int stop_after;
};

static int remember(void *ctx, const struct backend_entry *entry)
{
	struct reported *reported = ctx;
	char addr[ADDR_TEXT_SIZE];
	size_t used = strlen(reported->text);

	/* The clock may go on between show() and each(). */
	snprintf(reported->text + used, sizeof(reported->text) - used, "%s %jd %jd\n",
		 addr_format(&entry->addr, addr), (intmax_t)entry->age / 1000,
		 (intmax_t)(entry->left + 999) / 1000);
	return reported->stop_after && --reported->stop_after == 0 ? 7 : 0;
}

static const struct shown both[] = {
	{ "192.0.2.7", 10 }, { "198.51.100.9", 599 }, { "203.0.113.1", 4000 },
};

TEST(reports_each_entry)
{
	static const struct shown long6[] = {
		{ "2001:0db8:0000:0000:0000:0000:0000:0007", 3 },
	};
	struct reported reported = { .text = "" };

	show("xt_recent/spammer", both, COUNT_OF(both));
	show("xt_recent/spammer6", long6, COUNT_OF(long6));
	want_int(ops->foreach(backend, ADDR_IPV4, remember, &reported), 0);
	want_int(ops->foreach(backend, ADDR_IPV6, remember, &reported), 0);
	want_str(reported.text, "192.0.2.7 10 590\n198.51.100.9 599 1\n"
			    "203.0.113.1 4000 -3399\n2001:db8::7 3 597\n");
}

TEST(each_stops_on_request)
{
	struct reported reported = { .stop_after = 2 };

	rename_lists();
	show("ipt_recent/spammer", both, COUNT_OF(both));
	want_int(ops->foreach(backend, ADDR_IPV4, remember, &reported), 7);
	want_str(reported.text, "192.0.2.7 10 590\n198.51.100.9 599 1\n");
}

/* Lines that no kernel writes. */
TEST(each_passes_over_other_lines)
{
	struct reported reported = { .text = "" };
	char path[200];

	snprintf(path, sizeof(path), "%s/xt_recent/spammer", lists.net_root);
	temp_file_write(path, "\nsrc=\nsrc=192.0.2.7\nsrc=192.0.2.7 last_seen: \n"
			      "src=192.0.2.7 last_seen: x\nsrc=none last_seen: 5\n"
			      "192.0.2.7 last_seen: 5\nsrc= last_seen: 5\n"
			      "last_seen: 5 src=192.0.2.7\n");
	want_int(ops->foreach(backend, ADDR_IPV4, remember, &reported), 0);
	want_str(reported.text, "");
}

TEST(wrong_file_is_reported)
{
	struct reported reported = { .text = "" };
	char path[200];

	remove_lists();
	want_int(ops->foreach(backend, ADDR_IPV4, remember, &reported), -ENOENT);
	snprintf(path, sizeof(path), "%s/xt_recent/spammer", lists.net_root);
	want_int(mkdir(path, 0755), 0);
	want_int(ops->foreach(backend, ADDR_IPV4, remember, &reported), -EISDIR);
	want_int(add("192.0.2.7"), -EISDIR);
}

static int take_off(const char *text)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return ops->remove(backend, &addr);
}

/* The shown entries are cut off, so that the file has only commands. */
static void want_commands(const char *path, const char *want)
{
	char *got = fakelists_text(&lists, path), *line = got;

	while (line && strncmp(line, "src=", 4) == 0)
		line = strchr(line, '\n') + 1;
	want_str(line, want);
	free(got);
}

TEST(removes_what_is_on_the_list)
{
	show("xt_recent/spammer", both, COUNT_OF(both));
	want_int(take_off("198.51.100.9"), 0);
	want_int(take_off("198.51.100.1"), -ESRCH);
	want_int(take_off("2001:db8::7"), -ESRCH);
	want_int(take_off("203.0.113.1"), 0);
	want_commands("xt_recent/spammer", "-198.51.100.9\n-203.0.113.1\n");
	want_commands("xt_recent/spammer6", "");
	fakelists_fail_writes(EIO, 1);
	want_int(take_off("192.0.2.7"), -ENOENT);
	fakelists_remove(&lists, "xt_recent/spammer");
	want_int(take_off("192.0.2.7"), -ENOENT);
}

/* Without a look at the list, which the kernel would walk under a lock. */
TEST(drops_without_reading)
{
	struct addr addr;

	want_int(addr_parse("2001:db8::7", 11, &addr), 0);
	want_int(ops->drop(backend, &addr), 0);
	want_list(&lists, "xt_recent/spammer6", "-2001:db8::7\n");
	remove_lists();
	want_int(ops->drop(backend, &addr), -ENOENT);
}

TEST(flushes_one_family)
{
	want_int(ops->flush(backend, ADDR_IPV6), 0);
	want_list(&lists, "xt_recent/spammer", "");
	want_list(&lists, "xt_recent/spammer6", "/\n");
	fakelists_fail_writes(ENOMEM, 1);
	want_int(ops->flush(backend, ADDR_IPV4), -ENOMEM);
	fakelists_remove(&lists, "xt_recent/spammer");
	want_int(ops->flush(backend, ADDR_IPV4), -ENOENT);
}

static const struct capacity_row {
	const char *label, *module, *text;
	size_t want;
} capacity_rows[] = {
	{ "module not loaded", NULL, NULL, 100 },
	{ "default", "xt_recent", "100\n", 100 },
	{ "raised", "xt_recent", "5000\n", 5000 },
	{ "one", "xt_recent", "1\n", 1 },
	{ "old kernel", "ipt_recent", "200\n", 200 },
	{ "zero", "xt_recent", "0\n", 100 },
	{ "empty", "xt_recent", "", 100 },
	{ "no number", "xt_recent", "many\n", 100 },
};

TEST_ROWS(capacity, capacity_rows)
{
	if (row->module)
		fakelists_limit(&lists, row->module, row->text);
	want_int(ops->capacity(backend), row->want);
}

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X199 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 "xxxxxxxxx"
#define NO_RIGHT                                                                  \
	": run rsyslogd as root, or load xt_recent with the options  ip_list_uid=UID " \
	"ip_list_perms=0600  for the user that rsyslogd runs as"
#define MISSING(list, iptables)                                                            \
	"the list " list " does not exist because no firewall rule names it: type  " iptables \
	" -I INPUT -p tcp --dport 25 -m recent --name " list " "
#define TOO_SMALL                                                              \
	" is too small, so the kernel drops its oldest addresses: write  "     \
	"options xt_recent ip_list_tot=5000  into "                            \
	"/etc/modprobe.d/xt_recent.conf and load the module again; if it is "  \
	"built into the kernel, boot with xt_recent.ip_list_tot=5000"

static const struct advice_row {
	const char *label;
	int family, err;
	unsigned int prefix, ban_time;
	const char *want;
} advice_rows[] = {
	{ "missing, IPv4", ADDR_IPV4, ENOENT, 32, 600,
	  MISSING("spammer", "iptables") "--update --seconds 600 -j DROP" },
	{ "missing, IPv6", ADDR_IPV6, ENOENT, 128, 600,
	  MISSING("spammer6", "ip6tables") "--update --seconds 600 -j DROP" },
	{ "missing, /24", ADDR_IPV4, ENOENT, 24, 3600,
	  MISSING("spammer", "iptables") "--mask 255.255.255.0 --update --seconds 3600 -j DROP" },
	{ "missing, /21", ADDR_IPV4, ENOENT, 21, 600,
	  MISSING("spammer", "iptables") "--mask 255.255.248.0 --update --seconds 600 -j DROP" },
	{ "missing, /64", ADDR_IPV6, ENOENT, 64, 31536000,
	  MISSING("spammer6", "ip6tables") "--mask ffff:ffff:ffff:ffff:: --update "
	  "--seconds 31536000 -j DROP" },
	{ "missing, /127", ADDR_IPV6, ENOENT, 127, 600,
	  MISSING("spammer6", "ip6tables") "--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe "
	  "--update --seconds 600 -j DROP" },
	{ "no right, IPv4", ADDR_IPV4, EACCES, 32, 600,
	  "no permission to write ROOT/xt_recent/spammer" NO_RIGHT },
	{ "no right, IPv6", ADDR_IPV6, EPERM, 128, 600,
	  "no permission to write ROOT/xt_recent/spammer6" NO_RIGHT },
	{ "too small, IPv4", ADDR_IPV4, ENOSPC, 32, 600, "the list spammer" TOO_SMALL },
	{ "too small, IPv6", ADDR_IPV6, ENOSPC, 128, 600, "the list spammer6" TOO_SMALL },
	{ "other, IPv4", ADDR_IPV4, EISDIR, 32, 600,
	  "the list spammer cannot be written: Is a directory" },
	{ "other, IPv6", ADDR_IPV6, ENOMEM, 128, 600,
	  "the list spammer6 cannot be written: Cannot allocate memory" },
};

TEST_ROWS(advice, advice_rows)
{
	struct backend_config config = config_of_lists();
	struct backend *b = NULL;
	char got[640] = "";

	config.net_root = "ROOT";
	config.ban_time = row->ban_time;
	if (row->family == ADDR_IPV4)
		config.ipv4_prefix = row->prefix;
	else
		config.ipv6_prefix = row->prefix;
	want_int(ops->open(&config, &b), 0);
	want_int(ops->advice(b, row->family, row->err, got, sizeof(got)) == got, true);
	want_str(got, row->want);
	ops->free(b);
}

static int open_with(struct backend_config config)
{
	struct backend *b = NULL;
	int r = ops->open(&config, &b);

	ops->free(b);
	return r;
}

TEST(overlong_names_are_refused)
{
	char root[129], list[201];
	struct backend_config ok = config_of_lists(), long_net = ok, long_module = ok;
	struct backend_config long_list = ok, long_list6 = ok;

	memset(root, 'r', sizeof(root));
	memset(list, 'l', sizeof(list));
	root[128] = list[200] = '\0';
	long_net.net_root = long_module.module_root = root;
	long_list.list = long_list6.list6 = list;
	want_int(open_with(ok), 0);
	want_int(open_with(long_net), -ENAMETOOLONG);
	want_int(open_with(long_module), -ENAMETOOLONG);
	want_int(open_with(long_list), -ENAMETOOLONG);
	want_int(open_with(long_list6), -ENAMETOOLONG);
	root[127] = list[199] = '\0';
	want_int(open_with(long_net), 0);
	want_int(open_with(long_module), 0);
	want_int(open_with(long_list), 0);
	want_int(open_with(long_list6), 0);
}

/* The path of the longest name is not cut. */
TEST(longest_name_is_written)
{
	struct backend_config config = config_of_lists();

	fakelists_make(&lists, "xt_recent/" X199);
	config.list = X199;
	ops->free(backend);
	want_int(ops->open(&config, &backend), 0);
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_list(&lists, "xt_recent/" X199, "+192.0.2.7\n");
}

static int open_one(void *data)
{
	return open_with(*(const struct backend_config *)data);
}

TEST(survives_lack_of_memory)
{
	struct backend_config config = config_of_lists();

	want_int(memory_fail_each(open_one, &config), 1);
	ops->free(NULL);
	want_str(ops->name, "recent");
}
