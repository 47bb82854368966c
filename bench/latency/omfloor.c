/* The floors of the benches: an output module of rsyslog that does as little as possible.
 * Not part of the product.
 *
 *   action(type="omfloor" template="pid" mode="kill")
 *       The first statement sends SIGTERM to the PID in the template's text.
 *   action(type="omfloor" template="pid" mode="note" board="FILE")
 *       The first statement writes the time to the board.
 *   action(type="omfloor" template="pid" mode="none")
 *       Does nothing.
 *   action(type="omfloor" template="pid" mode="list" board="FILE")
 *       FILE is a list of xt_recent: the two system calls that write another address to
 *       it each time, and nothing else.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "rsyslog.h"
#include "conf.h"
#include "errmsg.h"
#include "module-template.h"
#include "syslogd-types.h"
#include "template.h"

#include "bench/latency/board.h"

MODULE_TYPE_OUTPUT
MODULE_TYPE_NOKEEP
MODULE_CNFNAME("omfloor")

DEF_OMOD_STATIC_DATA

enum mode { MODE_KILL, MODE_NOTE, MODE_NONE, MODE_LIST };

static const char *const mode_names[] = { "kill", "note", "none", "list" };

typedef struct _instanceData {
	enum mode mode;
	struct board *board;	/* of MODE_NOTE */
	int list;		/* of MODE_LIST.. */
	unsigned int next;	/* ..and its next address; there is one worker */
} instanceData;

typedef struct wrkrInstanceData {
	instanceData *pData;
	enum mode mode;
	struct board *board;
} wrkrInstanceData_t;

static struct cnfparamdescr params[] = {
	{ "template", eCmdHdlrString, CNFPARAM_REQUIRED },
	{ "mode", eCmdHdlrGetWord, CNFPARAM_REQUIRED },
	{ "board", eCmdHdlrGetWord, 0 },
};
static struct cnfparamblk params_blk = {
	CNFPARAMBLK_VERSION, COUNT_OF(params), params,
};

static rsRetVal find_mode(const char *name, enum mode *ret_mode)
{
	unsigned int i;

	for (i = 0; name && i < COUNT_OF(mode_names); i++) {
		if (strcmp(name, mode_names[i]) != 0)
			continue;
		*ret_mode = (enum mode)i;
		return RS_RET_OK;
	}
	return RS_RET_PARAM_ERROR;
}

static rsRetVal open_board(instanceData *data, const char *path)
{
	bool opened = true;

	if (data->mode == MODE_NOTE) {
		data->board = path ? board_map(path) : NULL;
		opened = data->board != NULL;
	} else if (data->mode == MODE_LIST) {
		data->list = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
		opened = data->list >= 0;
	}
	return opened ? RS_RET_OK : RS_RET_FILE_NOT_FOUND;
}

static rsRetVal read_mode(instanceData *data, const struct cnfparamvals *vals)
{
	char *mode = es_str2cstr(vals[1].val.d.estr, NULL);
	char *path = vals[2].bUsed ? es_str2cstr(vals[2].val.d.estr, NULL) : NULL;
	rsRetVal r = find_mode(mode, &data->mode);

	if (r == RS_RET_OK)
		r = open_board(data, path);
	if (r != RS_RET_OK)
		LogError(errno, r, "omfloor: mode \"%s\", board \"%s\"",
			 mode ? mode : "", path ? path : "");
	free(mode);
	free(path);
	return r;
}

BEGINcreateInstance
CODESTARTcreateInstance;
ENDcreateInstance

BEGINfreeInstance
CODESTARTfreeInstance;
ENDfreeInstance

BEGINcreateWrkrInstance
CODESTARTcreateWrkrInstance;
	pWrkrData->mode = pData->mode;
	pWrkrData->board = pData->board;
ENDcreateWrkrInstance

BEGINfreeWrkrInstance
CODESTARTfreeWrkrInstance;
ENDfreeWrkrInstance

BEGINnewActInst
	struct cnfparamvals *vals;
	uchar *tpl;
CODESTARTnewActInst;
	vals = nvlstGetParams(lst, &params_blk, NULL);
	if (!vals)
		ABORT_FINALIZE(RS_RET_MISSING_CNFPARAMS);
	CHKiRet(createInstance(&pData));
	CHKiRet(read_mode(pData, vals));
	CODE_STD_STRING_REQUESTnewActInst(1);
	CHKmalloc(tpl = (uchar *)es_str2cstr(vals[0].val.d.estr, NULL));
	CHKiRet(OMSRsetEntry(*ppOMSR, 0, tpl, OMSR_NO_RQD_TPL_OPTS));
CODE_STD_FINALIZERnewActInst
	if (vals)
		cnfparamvalsDestruct(vals, &params_blk);
ENDnewActInst

BEGINdbgPrintInstInfo
CODESTARTdbgPrintInstInfo;
ENDdbgPrintInstInfo

BEGINtryResume
CODESTARTtryResume;
ENDtryResume

/* +10.100.100.100 and the like, always of that length. */
static void list_next(instanceData *data)
{
	char text[] = "+10.100.100.100\n";
	unsigned int n = data->next++, i;

	for (i = 6; i <= 14; i += 4) {
		text[i] = (char)('0' + n % 10);
		text[i - 1] = (char)('0' + n / 10 % 10);
		n /= 100;
	}
	if (lseek(data->list, 0, SEEK_SET) < 0 ||
	    write(data->list, text, sizeof(text) - 1) < 0)
		abort();
}

/* A PID of 0, 1 or below would terminate more than one process. */
BEGINdoAction
	int pid;
CODESTARTdoAction;
	if (pWrkrData->mode == MODE_NOTE)
		atomic_store(&pWrkrData->board->begun, board_now());
	else if (pWrkrData->mode == MODE_LIST)
		list_next(pWrkrData->pData);
	else if (pWrkrData->mode == MODE_KILL &&
		 (pid = atoi((const char *)ppString[0])) > 1)
		kill(pid, SIGTERM);
ENDdoAction

BEGINisCompatibleWithFeature
CODESTARTisCompatibleWithFeature;
ENDisCompatibleWithFeature

NO_LEGACY_CONF_parseSelectorAct

BEGINmodExit
CODESTARTmodExit;
ENDmodExit

BEGINqueryEtryPt
CODESTARTqueryEtryPt;
CODEqueryEtryPt_STD_OMOD_QUERIES
CODEqueryEtryPt_STD_OMOD8_QUERIES
CODEqueryEtryPt_STD_CONF2_OMOD_QUERIES
ENDqueryEtryPt

/* The only symbol that rsyslogd looks up. */
#pragma GCC visibility push(default)
BEGINmodInit()
CODESTARTmodInit;
	*ipIFVersProvided = CURR_MOD_IF_VERSION;
ENDmodInit
#pragma GCC visibility pop
