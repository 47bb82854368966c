/* The allow list that stands in a file.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "allowfile.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct allowfile {
	char *path;
	pthread_mutex_t lock;
	struct addrlist *list;
};

/* Where the reading is, and where a complaint goes. */
struct reading {
	const char *path;
	unsigned long line;
	size_t bytes;
	struct addrlist *list;
	char *errbuf;
};

static int complain(const struct reading *r, int err, const char *text,
		    size_t len, const char *why)
{
	snprintf(r->errbuf, ALLOWFILE_ERROR_SIZE, "%s, line %lu: \"%.*s\": %s",
		 r->path, r->line, len > 60 ? 60 : (int)len, text, why);
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
	return complain(r, -EINVAL, text, len, why);
}

static size_t trim(const char **text, size_t len)
{
	static const char blanks[] = " \t\r\n";

	while (len > 0 && strchr(blanks, (*text)[len - 1]))
		len--;
	while (len > 0 && strchr(blanks, **text)) {
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
	r->bytes += len;
	if (r->bytes > ALLOWFILE_BYTES_MAX)
		return complain(r, -EFBIG, "", 0, "the file is too large");
	len = trim(&text, hash ? (size_t)(hash - text) : len);
	if (len == 0)
		return 0;
	err = cidr_parse(text, len, &cidr);
	if (err < 0)
		return complain_cidr(r, err, text, len, &cidr);
	return addrlist_add(r->list, &cidr);
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
		err = complain(r, -EIO, "", 0, "cannot be read on");
	return err;
}

static int read_file(const char *path, struct addrlist *list, char *errbuf)
{
	struct reading r = { .path = path, .list = list, .errbuf = errbuf };
	FILE *file;
	int err;

	if (*path == '\0')
		return 0;
	file = fopen(path, "re");
	if (!file) {
		err = -errno;
		snprintf(errbuf, ALLOWFILE_ERROR_SIZE, "%s: %s", path,
			 strerrordesc_np(-err));
		return err;
	}
	err = read_lines(&r, file);
	fclose(file);
	return err;
}

static int read_list(const char *path, struct addrlist **ret_list, char *errbuf)
{
	struct addrlist *list = NULL;
	int r;

	errbuf[0] = '\0';
	r = addrlist_new(&list);
	if (r == 0)
		r = read_file(path, list, errbuf);
	if (r < 0) {
		addrlist_free(list);
		return r;
	}
	addrlist_seal(list);
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
	pthread_mutex_init(&f->lock, NULL);
	f->path = strdup(path);
	if (f->path)
		r = read_list(path, &f->list, errbuf);
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
	addrlist_free(file->list);
	pthread_mutex_destroy(&file->lock);
	free(file->path);
	free(file);
}

int allowfile_reload(struct allowfile *file,
		     char errbuf[static ALLOWFILE_ERROR_SIZE])
{
	struct addrlist *list, *old;
	int r;

	r = read_list(file->path, &list, errbuf);
	if (r < 0)
		return r;
	pthread_mutex_lock(&file->lock);
	old = file->list;
	file->list = list;
	pthread_mutex_unlock(&file->lock);
	addrlist_free(old);
	return 0;
}

bool allowfile_overlaps(struct allowfile *file, const struct cidr *cidr)
{
	bool found;

	pthread_mutex_lock(&file->lock);
	found = addrlist_overlaps(file->list, cidr);
	pthread_mutex_unlock(&file->lock);
	return found;
}
