#include "binding.h"
#include "sev_guest.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct report_job {
	struct job job;
	char path[PATH_MAX];
	uint8_t report_data[SEV_REPORT_DATA_BYTES];
	uint32_t vmpl;
	struct sev_guest_answer answer;
};

static void run(struct job *job)
{
	struct report_job *report = (struct report_job *)job;
	sev_guest_get_report(report->path, report->report_data, report->vmpl, &report->answer);
}

static bool set_number(napi_env env, napi_value object, const char *name, uint32_t number)
{
	napi_value value;
	return ok(env, napi_create_uint32(env, number, &value)) &&
	       ok(env, napi_set_named_property(env, object, name, value));
}

static napi_value settle(napi_env env, struct job *job)
{
	const struct sev_guest_answer *answer = &((struct report_job *)job)->answer;
	napi_value object;
	napi_value opened;
	napi_value report;

	if (!ok(env, napi_create_object(env, &object)) || !ok(env, napi_get_boolean(env, answer->opened, &opened)) ||
	    !ok(env, napi_set_named_property(env, object, "opened", opened)) ||
	    !set_number(env, object, "error", (uint32_t)answer->error) ||
	    !set_number(env, object, "fwError", answer->fw_error) ||
	    !set_number(env, object, "vmmError", answer->vmm_error) ||
	    !set_number(env, object, "status", answer->status) || !set_number(env, object, "size", answer->size) ||
	    !ok(env, napi_create_buffer_copy(env, SEV_REPORT_BYTES, answer->report, NULL, &report)) ||
	    !ok(env, napi_set_named_property(env, object, "report", report)))
		return NULL;
	return object;
}

static void release(napi_env env, struct job *job)
{
	(void)env;
	free(job);
}

/* getReport(path: string, reportData: Uint8Array, vmpl: number): Promise<ReportAnswer> */
static napi_value get_report(napi_env env, napi_callback_info info)
{
	size_t count = 3;
	napi_value arguments[3];
	uint8_t *report_data;
	size_t report_data_length;
	size_t path_length;

	struct report_job *report = calloc(1, sizeof *report);
	if (report == NULL)
		return refuse(env, "out of memory");
	report->job = (struct job){ .run = run, .settle = settle, .release = release };

	if (!ok(env, napi_get_cb_info(env, info, &count, arguments, NULL, NULL)) ||
	    !ok(env,
		napi_get_value_string_utf8(env, arguments[0], report->path, sizeof report->path, &path_length)) ||
	    !read_bytes(env, arguments[1], &report_data, &report_data_length) ||
	    !ok(env, napi_get_value_uint32(env, arguments[2], &report->vmpl))) {
		free(report);
		return NULL;
	}
	if (report_data_length != SEV_REPORT_DATA_BYTES || path_length == sizeof report->path - 1 ||
	    path_length != strlen(report->path)) {
		free(report);
		return refuse(env, "expected a path and 64 bytes of REPORT_DATA");
	}
	memcpy(report->report_data, report_data, SEV_REPORT_DATA_BYTES);
	return start_job(env, "sev_guest.report", &report->job);
}

bool define_report(napi_env env, napi_value exports)
{
	return define_function(env, exports, "getReport", get_report);
}
