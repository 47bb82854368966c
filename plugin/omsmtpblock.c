/* The rsyslog output module: the entry points that rsyslogd calls. The logic is in src/,
 * where it can be tested.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rsyslog.h"
#include "conf.h"
#include "errmsg.h"
#include "module-template.h"
#include "rsconf.h"
#include "syslogd-types.h"
#include "template.h"

#include "engine/engine.h"
#include "lib/array.h"
#include "plugin/event_ruleset.h"
#include "plugin/message.h"
#include "plugin/params.h"
#include "plugin/seccomp_probe.h"
#include "plugin/stats.h"
#include "policy/capabilities.h"

MODULE_TYPE_OUTPUT
MODULE_TYPE_NOKEEP
MODULE_CNFNAME("omsmtpblock")

DEF_OMOD_STATIC_DATA

/* One action. */
typedef struct _instanceData {
	struct engine *engine;
} instanceData;

/* One worker of an action. It has its own reference: rsyslogd may free the action first. */
typedef struct wrkrInstanceData {
	instanceData *pData;
	struct engine *engine;
	struct engine_worker *worker;
} wrkrInstanceData_t;

/* An action of a configuration. */
struct action {
	struct engine *engine;
	struct stats *stats;
	struct event_listener listener;	/* if it has an eventRuleset */
};

/* One configuration: its actions and what they share. */
struct modConfData_s {
	rsconf_t *conf;
	struct action *actions;
	size_t count;
	struct background *background;
	struct events *events;		/* NULL: no action has an eventRuleset */
	bool keep_capabilities;		/* across $PrivDropToUser */
};

/* The configuration that is being loaded; rsyslogd loads one at a time. */
static modConfData_t *loading;

/* The background thread was abandoned: it may return when parts of rsyslogd are gone. */
static atomic_bool abandoned;

static void log_line(void *ctx, int severity, const char *text)
{
	(void)ctx;
	if (atomic_load(&abandoned))
		return;
	LogMsg(0, NO_ERRCODE, severity, "omsmtpblock: %s", text);
}

static rsRetVal add_action(modConfData_t *conf, struct engine *engine)
{
	struct action *added = array_add(&conf->actions, &conf->count);

	if (!added)
		return RS_RET_OUT_OF_MEMORY;
	added->engine = engine_ref(engine);
	return RS_RET_OK;
}

/* Warn of lists that an earlier action writes with other parameters. */
static void compare_with_earlier(const modConfData_t *conf, const struct engine *engine)
{
	char text[SETTINGS_CLASH_SIZE];
	size_t i;

	for (i = 0; i < conf->count; i++) {
		if (!settings_clash(engine_settings(conf->actions[i].engine),
				    engine_settings(engine), text))
			continue;
		params_warn_of_action(text);
		return;
	}
}

/* The ruleset that gets the action's events, or NULL. */
static ruleset_t *event_ruleset_of(const modConfData_t *conf, const struct action *m)
{
	const char *name = engine_settings(m->engine)->event_ruleset;

	return name[0] ? event_ruleset_find(conf->conf, name, NULL) : NULL;
}

/* Check that every eventRuleset exists and is suitable. */
static rsRetVal check_event_rulesets(const modConfData_t *conf)
{
	rsRetVal r = RS_RET_OK;
	const char *warning;
	size_t i;

	for (i = 0; i < conf->count; i++) {
		const char *name = engine_settings(conf->actions[i].engine)->event_ruleset;

		if (!name[0])
			continue;
		if (!event_ruleset_find(conf->conf, name, &warning)) {
			LogError(0, RS_RET_RULESET_NOT_FOUND, "omsmtpblock: "
				 "eventRuleset: there is no ruleset \"%s\": write "
				 "ruleset(name=\"%s\" queue.type=\"linkedList\") "
				 "{ ... }", name, name);
			r = RS_RET_RULESET_NOT_FOUND;
		} else if (warning) {
			params_warn("eventRuleset: the ruleset", name, warning);
		}
	}
	return r;
}

static int open_events(modConfData_t *conf)
{
	size_t i;

	for (i = 0; i < conf->count && !conf->events; i++) {
		int r = event_ruleset_of(conf, &conf->actions[i]) ? events_new(&conf->events)
								  : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static void add_zone(void *ctx, const char *zone, const atomic_uint_least64_t *saved)
{
	if (!atomic_load(&abandoned))
		stats_add_zone(ctx, zone, saved);
}

static int start_action(const modConfData_t *conf, struct action *m)
{
	ruleset_t *ruleset = event_ruleset_of(conf, m);

	if (ruleset)
		m->listener = event_listener_of(ruleset);
	m->stats = stats_new(m->engine);
	return engine_start(m->engine, &(struct engine_environment){
					       .background = conf->background,
					       .log = log_line,
					       .zone = m->stats ? add_zone : NULL,
					       .zone_ctx = m->stats,
					       .events = ruleset ? conf->events : NULL,
					       .listener = &m->listener,
					       .check_rights = true,
					       .net_root = BACKEND_NET_ROOT,
					       .module_root = BACKEND_MODULE_ROOT,
				       });
}

static int start_actions(modConfData_t *conf)
{
	size_t i;
	int r;

	for (i = 0; i < conf->count; i++) {
		r = start_action(conf, &conf->actions[i]);
		if (r < 0)
			return r;
	}
	return conf->events ? event_ruleset_start(conf->events) : 0;
}

/* Of the capabilities kept across the change of user, retain only those that the actions need. */
static void take_rights(const modConfData_t *conf)
{
	uint64_t needed = 0;
	size_t i;
	int r;

	for (i = 0; i < conf->count; i++)
		needed |= capabilities_needed(engine_settings(conf->actions[i].engine));
	r = capabilities_take(needed);
	if (r < 0)
		LogError(-r, RS_RET_ERR, "omsmtpblock: keepCapabilities failed");
}

static int start(modConfData_t *conf)
{
	int r;

	if (conf->keep_capabilities && geteuid() != 0)
		take_rights(conf);
	r = background_new(PROCFS_DEFAULT_ROOT, &conf->background);
	if (r == 0 && !seccomp_allows(SYS_pidfd_getfd))
		background_forbid_fd(conf->background);
	if (r == 0 && seccomp_allows(SYS_sched_getattr) && seccomp_allows(SYS_sched_setattr))
		background_shorten_slices(conf->background);
	if (r == 0)
		r = background_watch_unblocks(conf->background, "");
	if (r == 0)
		r = background_open(conf->background);
	if (r == 0)
		r = open_events(conf);
	if (r == 0)
		r = start_actions(conf);
	if (r == 0)
		r = background_start(conf->background);
	return r;
}

/* Start-up failed half-way: actions that did start would run without the background thread,
 * so stop them all. */
static void stop_all(const modConfData_t *conf)
{
	size_t i;

	for (i = 0; i < conf->count; i++)
		engine_stop(conf->actions[i].engine);
}

/* One of our threads is still running: keep rsyslogd from unloading the code it returns to. */
static void stay_mapped(void)
{
	Dl_info own;

	if (dladdr(&loading, &own) != 0)
		(void)dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* Leave everything that free_shared() would free: the thread uses it until the process exits. */
static void abandon(const modConfData_t *conf)
{
	size_t left = 0, i;

	for (i = 0; i < conf->count; i++)
		left += engine_left(conf->actions[i].engine);
	LogMsg(0, NO_ERRCODE, LOG_WARNING,
	       "omsmtpblock: the background thread has not responded for %d s and was "
	       "abandoned; its remaining work is not done: %zu triggers, and sessions that wait "
	       "for their signal",
	       BACKGROUND_STOP_MS / 1000, left);
	atomic_store(&abandoned, true);
	stay_mapped();
}

/* The main queue's threads may have ended before the last events came. */
static void end_events(struct events *events)
{
	size_t lost = events ? events_end(events) : 0;

	if (lost > 0)
		LogMsg(0, NO_ERRCODE, LOG_WARNING,
		       "omsmtpblock: rsyslogd is stopping: %zu block events were not submitted to "
		       "eventRuleset", lost);
}

/* The background thread has ended. */
static void free_shared(modConfData_t *conf)
{
	size_t i;

	end_events(conf->events);
	for (i = 0; i < conf->count; i++) {
		stats_free(conf->actions[i].stats);
		engine_unref(conf->actions[i].engine);
	}
	if (!background_free(conf->background))
		stay_mapped();
	events_free(conf->events);
	free(conf->actions);
}

static void stop(modConfData_t *conf)
{
	if (conf->background && background_stop(conf->background) < 0)
		abandon(conf);
	else
		free_shared(conf);
}

BEGINbeginCnfLoad
CODESTARTbeginCnfLoad;
	loading = pModConf;
	pModConf->conf = pConf;
ENDbeginCnfLoad

BEGINendCnfLoad
CODESTARTendCnfLoad;
	loading = NULL;
ENDendCnfLoad

/* The parameters of module(). */
static struct cnfparamdescr module_parameters[] = {
	{ "keepcapabilities", eCmdHdlrBinary, 0 },
};

static struct cnfparamblk module_block = {
	CNFPARAMBLK_VERSION,
	sizeof(module_parameters) / sizeof(module_parameters[0]),
	module_parameters,
};

BEGINsetModCnf
	struct cnfparamvals *values = NULL;
CODESTARTsetModCnf;
	if (!lst)
		FINALIZE;
	values = nvlstGetParams(lst, &module_block, NULL);
	if (!values)
		ABORT_FINALIZE(RS_RET_MISSING_CNFPARAMS);
	if (values[0].bUsed)
		loading->keep_capabilities = values[0].val.d.n != 0;
finalize_it:
	if (values)
		cnfparamvalsDestruct(values, &module_block);
ENDsetModCnf

/* rsyslogd -N1: name the first action whose blocks are left to a proxy. Threads that look at
 * courier's processes have ended afterwards, or see stay_mapped(). */
static void warn_of_proxy(const modConfData_t *conf)
{
	const char *notice = NULL;
	struct background *background;
	size_t i;

	if (background_new(PROCFS_DEFAULT_ROOT, &background) < 0)
		return;
	for (i = 0; i < conf->count && !notice; i++) {
		notice = engine_notice_of_proxy(conf->actions[i].engine, background);
		if (notice)
			params_warn("the action with the list",
				    engine_settings(conf->actions[i].engine)->list, notice);
	}
	if (!background_free(background))
		stay_mapped();
}

BEGINcheckCnf
CODESTARTcheckCnf;
	iRet = check_event_rulesets(pModConf);
	if (params_is_validation())
		warn_of_proxy(pModConf);
ENDcheckCnf

/* Runs in the thread that is about to change its user. */
BEGINactivateCnfPrePrivDrop
CODESTARTactivateCnfPrePrivDrop;
	if (pModConf->count > 0)
		engine_prepare();
	if (pModConf->keep_capabilities && capabilities_keep() < 0)
		LogError(errno, RS_RET_ERR, "omsmtpblock: keepCapabilities failed");
ENDactivateCnfPrePrivDrop

/* Runs after the fork and the privilege drop: threads and descriptors created here persist. */
BEGINactivateCnf
	int r;
CODESTARTactivateCnf;
	if (pModConf->count > 0) {
		r = start(pModConf);
		if (r < 0) {
			stop_all(pModConf);
			LogError(-r, RS_RET_ERR, "omsmtpblock: cannot start, "
				 "nothing is blocked and no session is terminated");
		}
	}
ENDactivateCnf

BEGINfreeCnf
CODESTARTfreeCnf;
	if (pModConf)
		stop(pModConf);
ENDfreeCnf

BEGINcreateInstance
CODESTARTcreateInstance;
ENDcreateInstance

BEGINfreeInstance
CODESTARTfreeInstance;
	if (pData)
		engine_unref(pData->engine);
ENDfreeInstance

BEGINcreateWrkrInstance
CODESTARTcreateWrkrInstance;
	pWrkrData->engine = engine_ref(pData->engine);
	pWrkrData->worker = NULL;
ENDcreateWrkrInstance

BEGINfreeWrkrInstance
CODESTARTfreeWrkrInstance;
	if (pWrkrData) {
		event_ruleset_end_worker(pWrkrData->engine);
		engine_worker_free(pWrkrData->worker);
		engine_unref(pWrkrData->engine);
	}
ENDfreeWrkrInstance

static const char *template_name(const struct engine *engine)
{
	const struct settings *s = engine_settings(engine);

	if (s->input == INPUT_ADDRESS && s->template_name[0])
		return s->template_name;
	return message_template_name(message_form_of(s));
}

/* Opens and starts nothing: rsyslogd also calls this for -N1, before the fork, and for
 * actions with config.enabled="off". */
BEGINnewActInst
	struct settings settings;
	uchar *tpl;
CODESTARTnewActInst;
	CHKiRet(params_read(lst, &settings));
	if (createInstance(&pData) != RS_RET_OK ||
	    engine_new(&settings, &pData->engine) < 0) {
		settings_done(&settings);
		ABORT_FINALIZE(RS_RET_OUT_OF_MEMORY);
	}
	CODE_STD_STRING_REQUESTnewActInst(1);
	CHKmalloc(tpl = (uchar *)strdup(template_name(pData->engine)));
	CHKiRet(OMSRsetEntry(*ppOMSR, 0, tpl, OMSR_NO_RQD_TPL_OPTS));
	if (loading && !nvlstChkDisabled(lst)) {
		compare_with_earlier(loading, pData->engine);
		CHKiRet(add_action(loading, pData->engine));
	}
CODE_STD_FINALIZERnewActInst
ENDnewActInst

BEGINdbgPrintInstInfo
CODESTARTdbgPrintInstInfo;
	dbgprintf("omsmtpblock, list %s\n",
		  engine_settings(pData->engine)->list);
ENDdbgPrintInstInfo

/* Never called in practice: doAction never returns RS_RET_SUSPENDED. A missing list must
 * not keep us from terminating sessions. */
BEGINtryResume
CODESTARTtryResume;
ENDtryResume

static void handle(wrkrInstanceData_t *w, const char *text)
{
	enum message_form form = message_form_of(engine_settings(w->engine));
	struct engine_message msg;

	/* Not in createWrkrInstance: if that fails, rsyslogd loses the message. */
	if (!w->worker)
		(void)engine_worker_new(w->engine, &w->worker);
	if (form == MESSAGE_ADDRESS) {
		engine_handle_address(w->engine, text, strlen(text));
		return;
	}
	message_parse(form, text, (int64_t)time(NULL), &msg);
	engine_handle(w->engine, w->worker, &msg);
}

/* At a forced shutdown rsyslogd cancels its workers. Prevent that in here, where locks are
 * held; it takes microseconds. */
BEGINdoAction
	int cancel;
CODESTARTdoAction;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	handle(pWrkrData, (const char *)ppString[0]);
	pthread_setcancelstate(cancel, NULL);
ENDdoAction

BEGINdoHUP
CODESTARTdoHUP;
	engine_hup(pData->engine);
ENDdoHUP

/* The action gets each message, equal ones too. rsyslog's inputs may have summarized equal
 * lines before: courierlog.h reads these summaries. */
BEGINisCompatibleWithFeature
CODESTARTisCompatibleWithFeature;
ENDisCompatibleWithFeature

NO_LEGACY_CONF_parseSelectorAct

BEGINmodExit
CODESTARTmodExit;
	stats_close();
ENDmodExit

BEGINqueryEtryPt
CODESTARTqueryEtryPt;
CODEqueryEtryPt_STD_OMOD_QUERIES
CODEqueryEtryPt_STD_OMOD8_QUERIES
CODEqueryEtryPt_STD_CONF2_QUERIES
CODEqueryEtryPt_STD_CONF2_PREPRIVDROP_QUERIES
CODEqueryEtryPt_STD_CONF2_setModCnf_QUERIES
CODEqueryEtryPt_STD_CONF2_OMOD_QUERIES
CODEqueryEtryPt_doHUP
ENDqueryEtryPt

/* The only symbol that rsyslogd looks up. */
#pragma GCC visibility push(default)
BEGINmodInit()
	unsigned int form;
	uchar *tpl;
CODESTARTmodInit;
	*ipIFVersProvided = CURR_MOD_IF_VERSION;
	stats_open();
	for (form = 0; form < MESSAGE_FORM_COUNT; form++) {
		/* tplAddLine() moves the pointer it is given and does not change the text. */
		tpl = (uchar *)(uintptr_t)message_template(form);
		tplAddLine(loadConf, (char *)(uintptr_t)message_template_name(form), &tpl);
	}
ENDmodInit
#pragma GCC visibility pop
