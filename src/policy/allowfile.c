/* The allow list in a file.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/allowfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/text.h"
#include "policy/live_set.h"

struct allowfile {
	char *path;
	struct live_set list;
};

/* The current position, and where an error message goes. */
struct reading {
	const char *path;
	unsigned long line;
	struct prefix_set *list;
	char *errbuf;
};

/* The file may contain anything: quote up to 60 characters, unprintable ones as '?'. */
static int complain_line(const struct reading *r, const char *text, size_t len,
			 const char *why)
{
	char shown[61];

	text_clean(text, len, shown, sizeof(shown));
	snprintf(r->errbuf, ALLOWFILE_ERROR_SIZE, "%s, line %lu: \"%s\": %s",
		 r->path, r->line, shown, why);
	return -EINVAL;
}

/* An error of the whole file. */
static int complain(const struct reading *r, int err, const char *why)
{
	snprintf(r->errbuf, ALLOWFILE_ERROR_SIZE, "%s: %s", r->path, why);
	return err;
}

static int complain_cidr(const struct reading *r, int err, const char *text,
			 size_t len, const struct cidr *meant)
{
	char why[96], cidr[CIDR_TEXT_SIZE];

	if (err == -EDOM)
		snprintf(why, sizeof(why), "did you mean %s?",
			 cidr_format(meant, cidr));
	else if (err == -ERANGE)
		snprintf(why, sizeof(why), "a prefix length is at most 32 for "
					   "IPv4, 128 for IPv6");
	else
		snprintf(why, sizeof(why), "write one address or prefix, such as "
					   "192.0.2.0/24");
	return complain_line(r, text, len, why);
}

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

static size_t trim(const char **text, size_t len)
{
	while (len > 0 && is_blank((*text)[len - 1]))
		len--;
	while (len > 0 && is_blank(**text)) {
		(*text)++;
		len--;
	}
	return len;
}

static int read_line(struct reading *r, const char *text, size_t len)
{
	const char *hash = memchr(text, '#', len);
	struct cidr cidr;
	int err;

	r->line++;
	len = trim(&text, hash ? (size_t)(hash - text) : len);
	if (len == 0)
		return 0;
	err = cidr_parse(text, len, &cidr);
	if (err < 0)
		return complain_cidr(r, err, text, len, &cidr);
	return prefix_set_add(r->list, &cidr);
}

static int read_lines(struct reading *r, FILE *file)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int err = 0;

	while (err == 0 && (n = getline(&text, &room, file)) >= 0)
		err = read_line(r, text, (size_t)n);
	free(text);
	if (err == 0 && ferror(file))
		err = complain(r, -EIO, "cannot be read to its end");
	return err;
}

/* Reading a pipe could block, and a device may have no end. */
static int check_file(const struct reading *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return complain(r, -errno, strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode))
		return complain(r, -EINVAL, "is not a regular file");
	if (st.st_size > ALLOWFILE_BYTES_MAX)
		return complain(r, -EFBIG, "is too large");
	return 0;
}

static int read_file(const char *path, struct prefix_set *list, char *errbuf)
{
	struct reading r = { .path = path, .list = list, .errbuf = errbuf };
	FILE *file;
	int fd, err;

	if (*path == '\0')
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return complain(&r, -errno, strerrordesc_np(errno));
	err = check_file(&r, fd);
	file = err < 0 ? NULL : fdopen(fd, "r");
	if (!file) {
		close(fd);
		return err < 0 ? err : -ENOMEM;
	}
	err = read_lines(&r, file);
	fclose(file);
	return err;
}

static int read_list(const char *path, struct prefix_set **ret_list, char *errbuf)
{
	struct prefix_set *list = NULL;
	int r;

	errbuf[0] = '\0';
	r = prefix_set_new(&list);
	if (r == 0)
		r = read_file(path, list, errbuf);
	if (r < 0) {
		prefix_set_free(list);
		return r;
	}
	prefix_set_seal(list);
	*ret_list = list;
	return 0;
}

int allowfile_new(const char *path, struct allowfile **ret_file,
		  char errbuf[static ALLOWFILE_ERROR_SIZE])
{
	struct allowfile *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	errbuf[0] = '\0';
	if (!f)
		return -ENOMEM;
	live_set_init(&f->list);
	f->path = strdup(path);
	if (f->path)
		r = allowfile_reload(f, errbuf);
	if (r < 0) {
		allowfile_free(f);
		return r;
	}
	*ret_file = f;
	return 0;
}

void allowfile_free(struct allowfile *file)
{
	if (!file)
		return;
	live_set_done(&file->list);
	free(file->path);
	free(file);
}

int allowfile_reload(struct allowfile *file,
		     char errbuf[static ALLOWFILE_ERROR_SIZE])
{
	struct prefix_set *list;
	int r = read_list(file->path, &list, errbuf);

	if (r == 0)
		live_set_replace(&file->list, list);
	return r;
}

bool allowfile_contains(struct allowfile *file, const struct addr *addr)
{
	return live_set_contains(&file->list, addr);
}

bool allowfile_overlaps(struct allowfile *file, const struct cidr *cidr)
{
	return live_set_overlaps(&file->list, cidr);
}
