/* journald, if it passes courier's lines to rsyslog.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/array.h"
#include "tool/check/checks.h"
#include "tool/check/systemd_unit.h"

/* Lines per second in a wave, as in check_rsyslog_conf.c. */
#define WAVE_LINES 100

/* journald's defaults (journald.conf(5)). */
#define DEFAULT_INTERVAL 30
#define DEFAULT_BURST 10000

/* Convert "30s", "1min", "500ms", "2h" to seconds; a bare number is in seconds. */
static double seconds_of(const char *text, double otherwise)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "", 1 },    { "s", 1 },	   { "sec", 1 }, { "min", 60 }, { "m", 60 },
		      { "h", 3600 }, { "ms", 1e-3 }, { "us", 1e-6 }, { "d", 86400 } };
	char *end;
	double number = strtod(text, &end);
	size_t i;

	end += strspn(end, " ");
	for (i = 0; i < COUNT_OF(units); i++)
		if (strcmp(end, units[i].unit) == 0)
			return number * units[i].seconds;
	return otherwise;
}

static void check_forward(struct checks *checks, const struct systemd_unit *conf)
{
	size_t from = 0;
	const char *value = systemd_unit_last(conf, "ForwardToSyslog");
	bool socket = checks->host->conf &&
		      rsyslog_conf_next(checks->host->conf, RSYSLOG_CONF_MODULE, "imuxsock",
					&from);

	from = 0;
	if (!checks->host->conf || !socket ||
	    rsyslog_conf_next(checks->host->conf, RSYSLOG_CONF_MODULE, "imjournal", &from))
		return;
	if (value && systemd_unit_is_off(value))
		check_broken(checks, "journald.forward",
			     "write ForwardToSyslog=yes into /etc/systemd/journald.conf, "
			     "systemctl restart systemd-journald",
			     "journald takes what courier logs and hands nothing on");
	else
		check_ok(checks, "journald.forward", "journald hands on what courier logs");
}

static void check_limit(struct checks *checks, const struct systemd_unit *conf)
{
	const char *interval_text = systemd_unit_last(conf, "RateLimitIntervalSec");
	const char *burst_text = systemd_unit_last(conf, "RateLimitBurst");
	double interval = interval_text ? seconds_of(interval_text, DEFAULT_INTERVAL) :
					  DEFAULT_INTERVAL;
	long burst = burst_text ? strtol(burst_text, NULL, 10) : DEFAULT_BURST;

	if (interval <= 0 || burst == 0)
		check_ok(checks, "journald.ratelimit", "journald drops no lines");
	else if ((double)burst < WAVE_LINES * interval)
		check_warning(checks, "journald.ratelimit",
			      "write RateLimitIntervalSec=0 into /etc/systemd/journald.conf, "
			      "systemctl restart systemd-journald",
			      "journald drops what is more than %ld lines in %g s of courier",
			      burst, interval);
	else
		check_ok(checks, "journald.ratelimit",
			 "journald takes %ld lines in %g s of courier", burst, interval);
}

void check_journald(struct checks *checks)
{
	struct systemd_unit *conf;
	char path[PATH_MAX];

	if (access(host_path(checks->host, "/run/systemd/journal/dev-log", path), F_OK) < 0)
		return;
	if (systemd_unit_read(checks->host, "journald.conf", "", &conf) < 0) {
		checks->out_of_memory = true;
		return;
	}
	check_forward(checks, conf);
	check_limit(checks, conf);
	systemd_unit_free(conf);
}
