/* The floors of the latency bench: an output module of rsyslog that does as
 * little as can be done. Not a part of the product.
 *
 *   action(type="omfloor" template="pid" mode="kill")
 *       The first statement sends SIGTERM to the PID that the template makes.
 *   action(type="omfloor" template="pid" mode="note" board="FILE")
 *       The first statement notes the time on the board.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "rsyslog.h"
#include "conf.h"
#include "errmsg.h"
#include "module-template.h"
#include "syslogd-types.h"
#include "template.h"

#include "board.h"

MODULE_TYPE_OUTPUT
MODULE_TYPE_NOKEEP
MODULE_CNFNAME("omfloor")

DEF_OMOD_STATIC_DATA

typedef struct _instanceData {
	struct board *board;	/* NULL: kill */
} instanceData;

typedef struct wrkrInstanceData {
	instanceData *pData;
	struct board *board;
} wrkrInstanceData_t;

static struct cnfparamdescr params[] = {
	{ "template", eCmdHdlrGetWord, CNFPARAM_REQUIRED },
	{ "mode", eCmdHdlrGetWord, CNFPARAM_REQUIRED },
	{ "board", eCmdHdlrGetWord, 0 },
};
static struct cnfparamblk params_blk = {
	CNFPARAMBLK_VERSION, sizeof(params) / sizeof(params[0]), params,
};

/* The board of mode "note". */
static rsRetVal open_board(instanceData *data, const struct cnfparamvals *vals)
{
	char *mode = es_str2cstr(vals[1].val.d.estr, NULL);
	char *path = NULL;
	rsRetVal r = RS_RET_OK;

	if (mode && strcmp(mode, "note") == 0 && vals[2].bUsed) {
		path = es_str2cstr(vals[2].val.d.estr, NULL);
		data->board = path ? board_map(path) : NULL;
		if (!data->board)
			r = RS_RET_FILE_NOT_FOUND;
	} else if (!mode || strcmp(mode, "kill") != 0) {
		r = RS_RET_PARAM_ERROR;
	}
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
	CHKiRet(open_board(pData, vals));
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

/* A PID of 0 or 1, or below, would end rather more than a child. */
BEGINdoAction
	int pid;
CODESTARTdoAction;
	if (pWrkrData->board)
		atomic_store(&pWrkrData->board->begun, board_now());
	else if ((pid = atoi((const char *)ppString[0])) > 1)
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

/* The only name that rsyslogd looks up. */
#pragma GCC visibility push(default)
BEGINmodInit()
CODESTARTmodInit;
	*ipIFVersProvided = CURR_MOD_IF_VERSION;
ENDmodInit
#pragma GCC visibility pop
