/* Reads an action's parameters in rsyslog.conf into settings.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "errmsg.h"
#include "rainerscript.h"
#include "parserif.h"

/* At least the number of rows in settings.c. */
#define ROWS_MAX 64

/* All values are requested as text: settings.c alone has the bounds and the error messages. */
static size_t describe(struct cnfparamdescr descr[static ROWS_MAX])
{
	size_t count, i;
	const struct settings_row *rows = settings_rows(&count);

	for (i = 0; i < count && i < ROWS_MAX; i++)
		descr[i] = (struct cnfparamdescr){
			.name = rows[i].name,
			.type = settings_is_list(&rows[i]) ? eCmdHdlrArray :
							     eCmdHdlrString,
		};
	return i;
}

static rsRetVal set_text(struct settings *settings, const char *name,
			 es_str_t *value)
{
	char *text = es_str2cstr(value, NULL);
	char wrong[512];
	int r;

	if (!text)
		return RS_RET_OUT_OF_MEMORY;
	r = settings_set(settings, name, text, wrong, sizeof(wrong));
	free(text);
	if (r == 0)
		return RS_RET_OK;
	if (r == -ENOMEM)
		return RS_RET_OUT_OF_MEMORY;
	parser_errmsg("omsmtpblock: %s", wrong);
	return RS_RET_PARAM_ERROR;
}

static rsRetVal set_array(struct settings *settings, const char *name,
			  const struct cnfarray *array)
{
	rsRetVal r, worst = RS_RET_OK;
	int i;

	for (i = 0; i < array->nmemb; i++) {
		r = set_text(settings, name, array->arr[i]);
		if (r != RS_RET_OK)
			worst = r;
	}
	return worst;
}

static rsRetVal set_all(struct settings *settings,
			const struct cnfparamblk *blk,
			const struct cnfparamvals *vals)
{
	rsRetVal r, worst = RS_RET_OK;
	unsigned int i;

	for (i = 0; i < blk->nParams; i++) {
		const struct cnfparamdescr *d = &blk->descr[i];

		if (!vals[i].bUsed)
			continue;
		if (d->type == eCmdHdlrArray)
			r = set_array(settings, d->name, vals[i].val.d.ar);
		else
			r = set_text(settings, d->name, vals[i].val.d.estr);
		if (r != RS_RET_OK)
			worst = r;
	}
	return worst;
}

/* Set by rsyslogd -N1. No header declares it, so the reference is weak: the module also
 * loads into an rsyslogd without it. */
extern int iConfigVerify __attribute__((weak));

bool params_is_validation(void)
{
	return &iConfigVerify && iConfigVerify;
}

void params_warn(const char *what, const char *name, const char *why)
{
	if (params_is_validation())
		dprintf(STDERR_FILENO, "rsyslogd: warning: omsmtpblock: %s \"%s\" %s\n",
			what, name, why);
	else
		LogMsg(0, RS_RET_CONF_PARSE_WARNING, LOG_WARNING,
		       "omsmtpblock: %s \"%s\" %s", what, name, why);
}

/* rsyslogd -N1 shows only errors, and exits with 1 if there is one. */
void params_warn_of_action(const char *text)
{
	if (params_is_validation())
		dprintf(STDERR_FILENO,
			"rsyslogd: warning during parsing file %s, on or before "
			"line %d: omsmtpblock: %s\n",
			cnfcurrfn ? cnfcurrfn : "-", yylineno, text);
	else
		parser_warnmsg("omsmtpblock: %s", text);
}

static void warn_of(const struct settings *settings)
{
	const char *text;
	unsigned int i;

	for (i = 0; (text = settings_warning(settings, i)) != NULL; i++)
		params_warn_of_action(text);
}

static rsRetVal check(struct settings *settings)
{
	char wrong[640];

	if (settings_check(settings, wrong, sizeof(wrong)) == 0) {
		warn_of(settings);
		return RS_RET_OK;
	}
	parser_errmsg("omsmtpblock: %s", wrong);
	return RS_RET_PARAM_ERROR;
}

rsRetVal params_read(struct nvlst *lst, struct settings *ret_settings)
{
	struct cnfparamdescr descr[ROWS_MAX];
	struct cnfparamblk blk = {
		.version = CNFPARAMBLK_VERSION,
		.nParams = (unsigned short)describe(descr),
		.descr = descr,
	};
	struct cnfparamvals *vals;
	rsRetVal r;

	if (settings_init(ret_settings) < 0)
		return RS_RET_OUT_OF_MEMORY;
	vals = nvlstGetParams(lst, &blk, NULL);
	r = vals ? set_all(ret_settings, &blk, vals) : RS_RET_PARAM_ERROR;
	if (r == RS_RET_OK)
		r = check(ret_settings);
	if (vals)
		cnfparamvalsDestruct(vals, &blk);
	if (r != RS_RET_OK)
		settings_done(ret_settings);
	return r;
}
