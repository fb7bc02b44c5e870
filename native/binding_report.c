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
	bool with_table;
	struct sev_guest_report report;
};

static void run(struct job *job)
{
	struct report_job *asked = (struct report_job *)job;
	sev_guest_get_report(asked->path, asked->report_data, asked->vmpl, asked->with_table, &asked->report);
}

static bool set_number(napi_env env, napi_value object, const char *name, uint32_t number)
{
	napi_value value;
	return ok(env, napi_create_uint32(env, number, &value)) &&
	       ok(env, napi_set_named_property(env, object, name, value));
}

static bool set_outcome(napi_env env, napi_value object, const struct sev_guest_outcome *outcome)
{
	napi_value opened;
	return ok(env, napi_get_boolean(env, outcome->opened, &opened)) &&
	       ok(env, napi_set_named_property(env, object, "opened", opened)) &&
	       set_number(env, object, "error", (uint32_t)outcome->error) &&
	       set_number(env, object, "fwError", outcome->fw_error) &&
	       set_number(env, object, "vmmError", outcome->vmm_error) &&
	       set_number(env, object, "status", outcome->status);
}

static bool set_bytes(napi_env env, napi_value object, const char *name, const uint8_t *bytes, size_t length)
{
	napi_value buffer;
	return ok(env, napi_create_buffer_copy(env, length, bytes, NULL, &buffer)) &&
	       ok(env, napi_set_named_property(env, object, name, buffer));
}

static napi_value settle(napi_env env, struct job *job)
{
	const struct sev_guest_report *report = &((struct report_job *)job)->report;
	/* After an error the length may be the length that the host asks for, and no table was written. */
	const size_t table_length = report->outcome.error == 0 ? report->table_length : 0;
	napi_value object;

	if (!ok(env, napi_create_object(env, &object)) || !set_outcome(env, object, &report->outcome) ||
	    !set_number(env, object, "size", report->size) ||
	    !set_number(env, object, "tableLength", report->table_length) ||
	    !set_bytes(env, object, "report", report->report, SEV_REPORT_BYTES) ||
	    !set_bytes(env, object, "table", report->table, table_length < SEV_TABLE_BYTES ? table_length : SEV_TABLE_BYTES))
		return NULL;
	return object;
}

static void dispose(napi_env env, struct job *job)
{
	(void)env;
	free(job);
}

static bool read_path(napi_env env, napi_value value, char path[PATH_MAX])
{
	size_t length;

	if (!ok(env, napi_get_value_string_utf8(env, value, path, PATH_MAX, &length)))
		return false;
	/* Node-API truncates silently. */
	if (length < PATH_MAX - 1 && length == strlen(path))
		return true;
	(void)refuse(env, "the device path is too long or contains a NUL");
	return false;
}

/* getReport(path: string, reportData: Uint8Array, vmpl: number, withTable: boolean): Promise<ReportAnswer> */
static napi_value get_report(napi_env env, napi_callback_info info)
{
	size_t count = 4;
	napi_value arguments[4];
	uint8_t *report_data;
	size_t report_data_length;

	struct report_job *asked = calloc(1, sizeof *asked);
	if (asked == NULL)
		return refuse(env, "out of memory");
	asked->job = (struct job){ .run = run, .settle = settle, .dispose = dispose };

	if (!ok(env, napi_get_cb_info(env, info, &count, arguments, NULL, NULL)) ||
	    !read_path(env, arguments[0], asked->path) ||
	    !read_bytes(env, arguments[1], &report_data, &report_data_length) ||
	    !ok(env, napi_get_value_uint32(env, arguments[2], &asked->vmpl)) ||
	    !ok(env, napi_get_value_bool(env, arguments[3], &asked->with_table))) {
		free(asked);
		return NULL;
	}
	if (report_data_length != SEV_REPORT_DATA_BYTES) {
		free(asked);
		return refuse(env, "REPORT_DATA must have 64 bytes");
	}
	memcpy(asked->report_data, report_data, SEV_REPORT_DATA_BYTES);
	return start_job(env, "sev_guest.report", &asked->job);
}

bool define_report(napi_env env, napi_value exports)
{
	return define_function(env, exports, "getReport", get_report);
}
