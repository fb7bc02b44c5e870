#include "binding.h"
#include "notify.h"

/* notify(socket: string, state: string): number. Returns 0 or an errno. */
static napi_value notify(napi_env env, napi_callback_info info)
{
	size_t count = 2;
	napi_value arguments[2];
	char socket_name[128];
	char state[1024];
	size_t socket_length;
	size_t state_length;
	napi_value error;

	if (!ok(env, napi_get_cb_info(env, info, &count, arguments, NULL, NULL)) ||
	    !ok(env, napi_get_value_string_utf8(env, arguments[0], socket_name, sizeof socket_name, &socket_length)) ||
	    !ok(env, napi_get_value_string_utf8(env, arguments[1], state, sizeof state, &state_length)))
		return NULL;
	/* Node-API truncates silently. */
	if (socket_length == sizeof socket_name - 1 || state_length == sizeof state - 1)
		return refuse(env, "a notification may have 1022 bytes, the name of its socket 126");
	if (!ok(env, napi_create_int32(env, notify_send(socket_name, state, state_length), &error)))
		return NULL;
	return error;
}

bool define_notify(napi_env env, napi_value exports)
{
	return define_function(env, exports, "notify", notify);
}
